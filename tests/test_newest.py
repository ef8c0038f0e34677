"""The tool that tries the newest dependencies tells what moved and what broke."""

from collections.abc import Sequence

import pytest

import newest

LOCK = r"""
numpy==2.4.6 ; python_full_version < '3.12' \
    --hash=sha256:0a
numpy==2.5.5 ; python_full_version >= '3.12' \
    --hash=sha256:0b
types-PyYAML==6.0 \
    --hash=sha256:0c
moto[server]==5.1
"""


def test_all_versions_of_a_lock_are_found() -> None:
    assert newest.pins(LOCK) == {
        "numpy": {"2.4.6", "2.5.5"}, "types-pyyaml": {"6.0"}, "moto": {"5.1"}
    }  # fmt: skip


def test_what_has_another_version_than_the_lock_has_moved() -> None:
    installed = newest.pins("numpy==2.5.5\nmoto==5.2\nnew==1\n-e file:///somewhere\n")
    assert newest.moved(newest.pins(LOCK), installed) == ["moto 5.1 -> 5.2", "new none -> 1"]


def test_a_set_that_breaks_something_is_named_and_the_other_is_still_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried: list[str] = []

    def failures(name: str, tests: Sequence[str], jobs: int) -> list[str]:
        tried.append(name)
        return [f"{name}: mypy"] if name == "newest" else []

    monkeypatch.setattr(newest, "failures", failures)
    assert newest.main([]) == 1
    assert tried == ["newest", "pre-releases"]
    assert capsys.readouterr().out == "FAILED newest: mypy\n"
    assert newest.main(["--set", "pre-releases"]) == 0


def test_a_set_that_cannot_be_installed_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newest, "run", lambda *_: False)
    assert newest.failures("newest", [], 1) == ["newest: cannot be installed"]
