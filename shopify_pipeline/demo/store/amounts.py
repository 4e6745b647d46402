"""Money as whole micros (a millionth of the unit), and the ways in which Shopify writes it."""

from __future__ import annotations

from decimal import Decimal

MICROS = 1_000_000
DECIMALS = {"JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3}
_STEPS: dict[str, int] = {code: 10 ** (6 - places) for code, places in DECIMALS.items()}


def micros(amount: str | float | Decimal) -> int:
    """Whole micros of a decimal amount given as text, Decimal or number."""
    return int(Decimal(str(amount)).scaleb(6).to_integral_value())


def trimmed(amount: int) -> str:
    """The GraphQL `Decimal` form: no trailing zeros, but at least one decimal (`"55.0"`)."""
    sign = "-" if amount < 0 else ""
    whole, rest = divmod(abs(amount), MICROS)
    if not rest:
        return f"{sign}{whole}.0"
    return f"{sign}{whole}.{rest:06d}".rstrip("0")


def padded(amount: int, currency: str = "USD") -> str:
    """The REST and `Money` form: the currency's decimals, more where the value needs them."""
    sign = "-" if amount < 0 else ""
    whole, rest = divmod(abs(amount), MICROS)
    places = max(2, DECIMALS.get(currency, 2))
    digits = f"{rest:06d}"
    kept = digits[:places] + digits[places:].rstrip("0")
    return f"{sign}{whole}.{kept}"


def rounded(amount: int, currency: str) -> int:
    """Micros rounded half up to the currency's smallest unit."""
    step = _STEPS.get(currency, 10_000)
    return (2 * amount + step) // (2 * step) * step


def converted(amount: int, rate: int, currency: str) -> int:
    """An amount in another currency; `rate` is micros of that currency per whole unit."""
    return rounded(amount * rate // MICROS, currency)
