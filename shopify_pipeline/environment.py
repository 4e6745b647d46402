"""The environment that a command hands on: with the `.env` of its working directory, read once."""

from collections.abc import Iterable, MutableMapping
from pathlib import Path

from dotenv import dotenv_values

DOTENV = Path(".env")


def complete(
    environment: MutableMapping[str, str], *, names: Iterable[str], dotenv: Path = DOTENV
) -> None:
    """Add what `dotenv` sets, and tidy the settings called `names`.

    What the environment sets goes over the file. Settings are stripped; a blank one counts as not
    set, and is removed, so that whoever is started sees the same settings.
    """
    for name, value in dotenv_values(dotenv).items():
        if value and not environment.get(name, "").strip():
            environment[name] = value
    for name in names:
        if name not in environment:
            continue
        if stripped := environment[name].strip():
            environment[name] = stripped
        else:
            del environment[name]
