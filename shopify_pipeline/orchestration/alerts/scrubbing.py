"""Takes personal data out of what others wrote, before it is kept or sent."""

import re

_ADDRESS = re.compile(r"[^\s<>(),;:'\"]+@[^\s<>(),;:'\"]+")
_PHONE = re.compile(r"\+\d[\d ()-]{6,}\d")


def impersonal(text: str) -> str:
    """The text with anything that looks like an e-mail address or a phone number taken out."""
    return _PHONE.sub("[number]", _ADDRESS.sub("[address]", text))
