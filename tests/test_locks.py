"""The locks pin, with hashes, what running and developing need, and agree with each other."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from muonscope.engines.spark import session

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
USE, DEVELOPMENT = "requirements.lock", "requirements-dev.lock"
HASHES = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


def canonical(requirement: str) -> str:
    """Return the name in a requirement, as package indexes compare names."""
    name = re.split(r"[\[<>=!~ ;]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: str) -> dict[str, set[str]]:
    """Return the hashes under each ``name==version`` of a lock."""
    text = (ROOT / lock).read_text("utf-8").replace("\\\n", " ")
    return {line.split()[0]: set(HASHES.findall(line)) for line in text.splitlines()}


def names(lock: str) -> set[str]:
    return {canonical(pin) for pin in pins(lock)}


def wanted(*groups: str) -> set[str]:
    """Return the names that dependency groups, and the groups in them, ask for."""
    found: set[str] = set()
    for group in groups:
        for item in PROJECT["dependency-groups"][group]:
            if isinstance(item, str):
                found.add(canonical(item))
            else:
                found |= wanted(item["include-group"])
    return found


@pytest.mark.parametrize("lock", [USE, DEVELOPMENT])
def test_every_pin_has_hashes_and_nothing_else_is_in_a_lock(lock: str) -> None:
    for pin, hashes in pins(lock).items():
        assert re.fullmatch(r"[a-z0-9.-]+(\[[a-z,]+\])?==[0-9][^ ]*", pin), pin
        assert hashes, pin
    assert "://" not in (ROOT / lock).read_text("utf-8")


def test_what_is_pinned_for_use_is_pinned_the_same_for_development() -> None:
    development = pins(DEVELOPMENT)
    for pin, hashes in pins(USE).items():
        assert development.get(pin) == hashes, pin


def test_the_lock_for_use_has_what_running_and_installing_need_and_no_tool() -> None:
    dependencies = {canonical(item) for item in PROJECT["project"]["dependencies"]}
    assert dependencies | wanted("install") <= names(USE)
    extras = PROJECT["project"]["optional-dependencies"].values()
    others = {canonical(item) for extra in extras for item in extra}
    others |= wanted("test", "lint", "docs", "bench")
    assert not others & (names(USE) - {"pyyaml"}), "pyyaml: bokeh needs it"


def test_the_lock_for_development_has_all_extras_and_groups() -> None:
    extras = PROJECT["project"]["optional-dependencies"].values()
    asked = {canonical(item) for extra in extras for item in extra} | wanted("dev")
    assert asked <= names(DEVELOPMENT)


def test_the_pyspark_that_the_tests_run_with_is_the_one_that_users_are_told_to_install() -> None:
    assert f"pyspark=={session._KNOWN}" in pins(DEVELOPMENT)
