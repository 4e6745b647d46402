"""How the platform's profiles are read, and what a linking run may do."""

import hashlib
from dataclasses import dataclass

from shopify_pipeline.profiles import rules
from shopify_pipeline.settings import Settings


@dataclass(frozen=True, kw_only=True)
class LinkOptions:
    """The columns of `unified_profiles` beyond `id` and `email`, and the guard's threshold.

    `phone_region` is the country (ISO 3166) of numbers written without one, on both sides.
    `greatest_loss` is the share of the known profiles that may vanish between two runs, and of the
    links that the profiles' side alone may release, before a run refuses to release anything.
    """

    phone_column: str | None = None
    phone_region: str | None = None
    name_columns: tuple[str, ...] = ()
    greatest_loss: float = 0.5

    @classmethod
    def from_settings(cls, settings: Settings) -> "LinkOptions":
        """The options that the settings give."""
        return cls(
            phone_column=settings.profiles_phone_column,
            phone_region=settings.profiles_phone_region,
            name_columns=settings.profiles_name_columns,
            greatest_loss=settings.profiles_greatest_loss,
        )

    @property
    def seed(self) -> int:
        """Seed of the fingerprints (signed, 64 bits): another one makes every key due again."""
        said = (rules.VERSION, self.phone_column, self.phone_region, self.name_columns)
        digest = hashlib.blake2b(repr(said).encode(), digest_size=8).digest()
        return int.from_bytes(digest, signed=True)
