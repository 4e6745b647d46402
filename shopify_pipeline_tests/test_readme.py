"""The README says what is so: every setting with its meaning, every command that it names."""

import re

import pytest

from shopify_pipeline.cli import cli
from shopify_pipeline.settings import CHECKOUT, Settings

README = (CHECKOUT / "README.md").read_text()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_stands_in_the_table(name: str) -> None:
    description = Settings.model_fields[name].description
    assert f"| `{name.upper()}` | {description} |" in README


def test_the_table_names_no_other_setting() -> None:
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE)) == {
        name.upper() for name in Settings.model_fields
    }


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`shopify-pipeline ([a-z]+)", README))))
def test_every_command_that_is_named_exists(named: str) -> None:
    assert named in cli.list_commands(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([a-z-]+)", README))))
def test_every_target_that_is_named_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
