"""The command line: `shopify-pipeline`."""

import importlib
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import click

from shopify_pipeline import environment
from shopify_pipeline.settings import CHECKOUT, Settings, load_database_settings

GROUPS = {
    "store": "shopify_pipeline.demo.store.command",
    "webhooks": "shopify_pipeline.webhooks.command",
    "profiles": "shopify_pipeline.profiles.command",
    "alerts": "shopify_pipeline.orchestration.alerts.command",
}
"""Groups of commands, each in the module that offers it by its name; imported when asked for."""

EXPLAINED = {
    "shopify_pipeline.admin_api.errors": {"AdminApiError": 2},
    "shopify_pipeline.demo.dagster_api": {"DagsterFailedError": 1},
    "shopify_pipeline.demo.preflight": {"RefusedError": 2},
    "shopify_pipeline.demo.processes": {"ProcessDiedError": 1},
    "shopify_pipeline.settings": {"SettingsError": 2},
    "shopify_pipeline.warehouse.database": {"DatabaseUrlError": 2},
    "shopify_pipeline.warehouse.migrations": {"MigrationError": 2},
    "shopify_pipeline.warehouse.shop": {"WrongShopError": 2},
}
"""Errors whose message is enough, with the exit code: 2 for what the person who typed can mend."""


class Commands(click.Group):
    """A group whose subgroups are imported when they are needed, and whose errors are sentences."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, with the groups that are there."""
        there = [name for name, module in GROUPS.items() if _exists(module)]
        return sorted({*super().list_commands(ctx), *there})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command, importing the module of a group."""
        module = GROUPS.get(cmd_name)
        if module is None or not _exists(module):
            return super().get_command(ctx, cmd_name)
        return getattr(importlib.import_module(module), cmd_name)  # type: ignore[no-any-return]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error whose message is enough ends it without a traceback."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if (code := _exit_code(error)) is None:
                raise
            click.echo(f"Error: {error}", err=True)
            ctx.exit(code)


def _exists(module: str) -> bool:
    return CHECKOUT.joinpath(*module.split(".")).with_suffix(".py").exists()


def _exit_code(error: Exception) -> int | None:
    for kind in type(error).__mro__:
        if (code := EXPLAINED.get(kind.__module__, {}).get(kind.__name__)) is not None:
            return code
    return None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Shopify's products, variants, customers, orders and line items in Postgres, kept true."""


@cli.command()
@click.option("--once", is_flag=True, help="Load everything once, without UI, and end.")
@click.option("--ui-port", envvar="DAGSTER_UI_PORT", default=3000, show_default=True)
@click.option("--store-port", envvar="STORE_PORT", default=9000, show_default=True)
@click.option("--webhook-port", envvar="WEBHOOK_PORT", default=8080, show_default=True)
@click.option("--products", default=500, show_default=True, help="Of the demonstration store.")
@click.option("--customers", default=2_000, show_default=True, help="Of the demonstration store.")
@click.option("--orders", default=10_000, show_default=True, help="Of the demonstration store.")
@click.option("--seed", default=7, show_default=True, help="Of the demonstration store.")
@click.option("--traffic", default=0.0, help="Changes a second that happen in that store.")
def run(*, once: bool, **options: Any) -> None:
    """Bring up what is missing, fill the tables through Dagster, and stay up until Ctrl-C.

    Without settings: an embedded Postgres and a demonstration store. With SHOPIFY_… settings: that
    store, into DATABASE_URL or else the embedded Postgres.
    """
    from shopify_pipeline.demo import launcher  # noqa: PLC0415 - imported when needed
    from shopify_pipeline.demo.services import Options  # noqa: PLC0415

    home = Path(os.environ.get("PIPELINE_HOME") or CHECKOUT / ".pipeline").expanduser().resolve()
    chosen = Options(home=home, **options)
    succeeded = launcher.run_once(chosen) if once else launcher.run(chosen)
    sys.exit(0 if succeeded else 1)


@cli.command()
def migrate() -> None:
    """Apply the migrations that the database lacks; safe to repeat, and from two places at once."""
    from shopify_pipeline.demo import preflight  # noqa: PLC0415 - imported when needed
    from shopify_pipeline.warehouse import migrations  # noqa: PLC0415

    settings = load_database_settings()
    preflight.check_databases(settings)
    applied = migrations.migrate(settings.direct_url.get_secret_value())
    for name in applied:
        click.echo(name)
    click.echo(f"{len(applied)} migrations applied; the database is up to date.")


def main() -> None:
    """Run the command line, with the settings of a `.env` in the working directory."""
    environment.complete(os.environ, names=[name.upper() for name in Settings.model_fields])
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")  # of no use to us
    cli()


if __name__ == "__main__":
    main()
