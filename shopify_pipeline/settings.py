"""Every setting, typed, from the environment and a `.env` file in the working directory."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shopify_pipeline.setting_types import (
    AlertUrls,
    ApiVersion,
    Columns,
    HeaderSecret,
    HeaderText,
    PostgresUrl,
    Secrets,
    ShopDomain,
    StartDate,
    WebAddress,
    Words,
)

CHECKOUT = Path(__file__).resolve().parent.parent

OMISSION_JUDGES: list[Callable[[frozenset[str]], Sequence[str]]] = []
"""Say what is wrong with SHOPIFY_OMIT_COLUMNS: entities know their columns, settings no entity."""


class SettingsError(Exception):
    """Settings are missing, malformed or contradict each other; the message lists all of them.

    `problems` maps the name of a setting to what is wrong with it.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        lines = "\n".join(f"  - {name}: {problem}" for name, problem in self.problems.items())
        super().__init__(f"These settings do not work (environment, or .env):\n{lines}")


class DatabaseSettings(BaseSettings):
    """The settings of what needs the database alone."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", use_attribute_docstrings=True
    )

    database_url: PostgresUrl
    """The Postgres that gets the tables; may be a transaction pooler."""

    database_direct_url: PostgresUrl | None = None
    """The same database without a pooler, for migrations and LISTEN. Default: DATABASE_URL."""

    @model_validator(mode="before")
    @classmethod
    def _tidied(cls, given: Any) -> Any:
        """Strip every text; a blank one counts as not set."""
        texts = {name: value for name, value in given.items() if isinstance(value, str)}
        stripped = {name: value.strip() for name, value in texts.items() if value.strip()}
        return {**{n: v for n, v in given.items() if n not in texts}, **stripped}

    @property
    def direct_url(self) -> SecretStr:
        """URL for what needs a session of its own."""
        return self.database_direct_url or self.database_url


class Settings(DatabaseSettings):
    """The settings of every command and every Dagster process."""

    shopify_shop: ShopDomain
    """The store's permanent domain, which renaming leaves: `x` or `x.myshopify.com`."""

    shopify_access_token: HeaderSecret | None = None
    """Admin API token (`shpat_…`) of an app made in the store's admin; else client credentials."""

    shopify_client_id: HeaderText | None = None
    """Client id of a Dev Dashboard app, for the client-credentials grant."""

    shopify_client_secret: HeaderSecret | None = Field(default=None, validate_default=True)
    """Client secret of that app."""

    shopify_api_version: ApiVersion = "2026-10"
    """Admin API version, `YYYY-MM`."""

    shopify_api_url: WebAddress | None = None
    """Base URL instead of `https://<shop>`; used for the simulated store."""

    shopify_start_date: StartDate
    """First daily partition (UTC), `YYYY-MM-DD`, usually the day when the store was created."""

    shopify_omit_columns: Annotated[Columns, NoDecode] = frozenset()
    """Columns neither read nor written, `customers.email,customers.phone`: for protected data."""

    shopify_bulk_threshold: int = Field(default=10_000, ge=0)
    """Windows of more records than this are read by a bulk operation instead of by pages."""

    dagster_postgres_url: PostgresUrl | None = None
    """Dagster's own storage: another database, or a schema of its own."""

    pipeline_home: Path = CHECKOUT / ".pipeline"
    """Where the commands write: embedded Postgres, Dagster's files, the demonstration store."""

    shopify_webhook_secrets: Annotated[Secrets, NoDecode] = ()
    """Secrets that webhooks may be signed with, comma separated. Default: SHOPIFY_CLIENT_SECRET."""

    shopify_webhook_url: WebAddress | None = None
    """Public address of the receiver; subscriptions are checked against it and made anew."""

    webhook_host: str = "127.0.0.1"
    """Address that the receiver of webhooks binds to; `0.0.0.0` to be reached from outside."""

    webhook_port: int = Field(default=8080, ge=0, le=65535)
    """Port of the receiver of webhooks; above 1023, so that it needs no root. 0: any free one."""

    webhook_trusted_proxies: str = "127.0.0.1"
    """Addresses of proxies whose X-Forwarded headers the receiver believes, comma separated."""

    webhook_max_body_bytes: int = Field(default=5_000_000, ge=1_000)
    """Greatest body of a webhook; a larger one is refused with 413."""

    webhook_body_days: int = Field(default=7, ge=1, le=28)
    """Days for which the bodies of processed webhooks are kept; they hold personal data."""

    webhook_ledger_days: int = Field(default=90, ge=2)
    """Days for which it is remembered, without the body, that a webhook came."""

    webhook_max_attempts: int = Field(default=8, ge=1, le=100)
    """Attempts at a webhook that fails before it is dead: kept, listed, alerted, replayable."""

    profiles_phone_column: str | None = None
    """Column of `unified_profiles` that holds phone numbers; without one, phones link nobody."""

    profiles_phone_region: str | None = Field(default=None, pattern=r"^[A-Z]{2}$")
    """Country (`ID`, `US`) of phone numbers that are written without one."""

    profiles_name_columns: Annotated[Words, NoDecode] = ()
    """Columns of `unified_profiles` that make up the name, comma separated, to find near misses."""

    profiles_greatest_loss: float = Field(default=0.5, gt=0, le=1)
    """Share of profiles that may vanish, or of links that they may undo, before linking refuses."""

    profiles_create: bool = False
    """Whether profiles may be created for customers that match none."""

    alert_urls: Annotated[AlertUrls, NoDecode] = ()
    """Where alerts go: Apprise URLs (Slack, e-mail, Teams, PagerDuty, JSON …), comma separated."""

    dagster_ui_url: WebAddress = "http://127.0.0.1:3000"
    """Address of the Dagster UI, for the links in alerts."""

    @field_validator("shopify_omit_columns")
    @classmethod
    def _can_be_left_out(cls, columns: frozenset[str]) -> frozenset[str]:
        if wrong := [problem for judge in OMISSION_JUDGES for problem in judge(columns)]:
            raise ValueError("; ".join(wrong))
        return columns

    @field_validator("pipeline_home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("shopify_client_secret")
    @classmethod
    def _one_kind_of_credentials(
        cls, secret: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        if "shopify_access_token" not in info.data or "shopify_client_id" not in info.data:
            return secret  # which is malformed, and said to be
        token, client_id = (info.data.get(f"shopify_{n}") for n in ("access_token", "client_id"))
        if token and (client_id or secret):
            raise ValueError(
                "SHOPIFY_ACCESS_TOKEN and SHOPIFY_CLIENT_ID/SHOPIFY_CLIENT_SECRET are both set; "
                "keep one kind of credentials"
            )
        if not token and not (client_id and secret):
            raise ValueError(
                "no credentials; set SHOPIFY_ACCESS_TOKEN, or both SHOPIFY_CLIENT_ID and "
                "SHOPIFY_CLIENT_SECRET"
            )
        return secret

    @property
    def webhook_secrets(self) -> tuple[SecretStr, ...]:
        """Every secret that a webhook may be signed with; empty when none is known."""
        if self.shopify_webhook_secrets:
            return self.shopify_webhook_secrets
        return (self.shopify_client_secret,) if self.shopify_client_secret else ()


Kind = TypeVar("Kind", bound=DatabaseSettings)


def load_settings(**given: object) -> Settings:
    """Read the settings; values that are `given`, by field, go over the environment's.

    Raises:
        SettingsError: something is missing, malformed or contradictory; lists all of it.
    """
    return _load(Settings, given)


def load_database_settings() -> DatabaseSettings:
    """Read the settings of the database alone.

    Raises:
        SettingsError: as `load_settings`.
    """
    return _load(DatabaseSettings, {})


def _load(kind: type[Kind], given: Mapping[str, object]) -> Kind:
    try:
        return kind(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
    raise SettingsError(
        {str(problem["loc"][0]).upper(): _complaint(problem) for problem in problems}
    )


def _complaint(problem: ErrorDetails) -> str:
    description = Settings.model_fields[str(problem["loc"][0])].description
    if problem["type"] == "missing":
        return f"is not set. {description}"
    if problem["type"] == "string_pattern_mismatch":
        return f"does not have its form. {description}"
    return problem["msg"].removeprefix("Value error, ")
