"""A start that can't be made as asked ends at once, with exit code 2 and a sentence."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from shopify_pipeline.demo.store.command import store


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "99999"], "99999 is not in the range 0<=x<=65535"),
        (["--products", "-5"], "-5 is not in the range x>=0"),
        (["--orders", "many"], "'many' is not a valid integer range"),
        (["--traffic", "-1"], "-1.0 is not in the range x>=0"),
        (["--shop", "a/b"], "--shop 'a/b' is no name under myshopify.com"),
        (["--clock", "nonsense"], "--clock 'nonsense' is no ISO 8601 time"),
        (["--tls-cert", "pem"], "--tls-cert and --tls-key go together"),
        (["--tls-key", "pem"], "--tls-cert and --tls-key go together"),
        (["--tls-cert", "pem", "--tls-key", "pem"], "are no certificate with its key"),
    ],
)
def test_a_start_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pem").write_text("nonsense")
    result = CliRunner().invoke(store, ["serve", *options])
    assert (result.exit_code, message in result.output) == (2, True), result.output
