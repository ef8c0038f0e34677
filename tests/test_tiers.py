"""Every test is in one tier: none escapes `make check` and `make integration` both."""

import re
from pathlib import Path

import pytest

from helpers.tiers import FIXTURES, is_integration

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def selection(target: str) -> str:
    """Return the expression of markers by which a target selects tests."""
    recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert recipe
    expression = re.search(r"-m (\"[^\"]*\"|\w+)", recipe[1])
    assert expression
    return expression[1].strip('"')


def test_what_one_target_leaves_out_the_other_runs() -> None:
    assert selection("integration") == "integration"
    assert selection("check") == "not integration"


def test_make_test_runs_both() -> None:
    recipe = re.search(r"^test:.*\n\t(.*)", MAKEFILE, re.MULTILINE)
    assert recipe
    assert {"check", "docs", "integration"} <= set(recipe[1].strip(")").split())


def test_every_pure_room_has_tests() -> None:
    rooms = re.search(r"^PURE := (.*)", MAKEFILE, re.MULTILINE)
    assert rooms
    for room in rooms[1].split():
        places = [f"tests/{room}", f"src/muonscope/{room}", f"src/muonscope/{room}.py"]
        assert any((ROOT / place).exists() for place in places), room


@pytest.mark.parametrize("fixture", sorted(FIXTURES))
def test_a_test_with_a_browser_broker_session_or_wheel_is_an_integration_test(fixture: str) -> None:
    path = Path("tests/words/test_text.py")
    assert is_integration(path, ["tmp_path", fixture])
    assert not is_integration(path, ["tmp_path"])


def test_a_folder_may_hold_integration_tests_only() -> None:
    assert is_integration(Path("tests/kafka/test_new.py"), [])
    assert not is_integration(Path("tests/transports/kafka/test_url.py"), [])
    assert not is_integration(Path("tests/test_new.py"), [])
    assert is_integration(Path("tests/test_docs.py"), [])
    assert not is_integration(Path("tests/cli/test_docs.py"), [])
    assert not is_integration(Path("src/muonscope/kafka/new.py"), [])


def test_this_test_runs_with_the_marks_of_its_tier(request: pytest.FixtureRequest) -> None:
    assert "integration" not in request.node.keywords
    for item in request.session.items:
        path = item.path.relative_to(ROOT)
        integration = is_integration(path, getattr(item, "fixturenames", ()))
        assert (item.get_closest_marker("integration") is not None) == integration
