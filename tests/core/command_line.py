"""Command lines as a person types them, for tests."""

import pytest

from automod_core import cli


def call(*words: object) -> int:
    return cli.main([str(word) for word in words])


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one sentence with which a command line is refused as bad input."""
    assert call(*words) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("automod: ")
    assert captured.err.endswith(".\n")
    assert captured.err.count("\n") == 1
    return captured.err


def wrong_usage(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    with pytest.raises(SystemExit) as caught:
        call(*words)
    assert caught.value.code == 2
    return capsys.readouterr().err
