"""The profile of processing shows all that is done, also what another thread does otherwise."""

import re

import pytest

import profile_process
from muonscope.engines import native, prefetch


def test_reading_counting_and_publishing_are_in_the_profile(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(profile_process, "find_spec", lambda _name: None)
    assert profile_process.main(["--words", "2000", "--top", "2000"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^2000 words of csv took [0-9.]+ s", shown)
    for function in ("parse_rows", "count_panes", "window_messages"):
        assert f"({function})" in shown
    assert vars(native)["prefetch"] is prefetch.prefetch
