"""Minutes and trends of a run of which no hour is sealed yet, and what came between two moments."""

from pathlib import Path

import pytest

from helpers.nights import EVENING, archive_night
from muonscope.archiving.archive import Archive
from muonscope.quality.verdict import State


@pytest.fixture(scope="module", params=[True, False], ids=["sealed", "open"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with a run that is sealed, or that is still written."""
    folder = tmp_path_factory.mktemp("minutes")
    archive_night(folder, "N1", 150, ended=request.param)
    return folder


def test_the_first_minutes_have_a_trend_while_nothing_is_sealed(path: Path) -> None:
    with Archive(path) as archive:
        run = archive["N1"]
        trend = run.trend("hits0")
        assert sum(trend["windows"].to_pylist()) == run.windows
        assert sum(trend["n"].to_pylist()) == int(run.total().hits_per_chamber[0])
        assert run.minutes(["at"]).column_names == ["at"]


def test_what_came_between_two_moments_adds_up_to_the_whole(path: Path) -> None:
    with Archive(path) as archive:
        run = archive["N1"]
        total, states = run.came(EVENING, EVENING + 1000)
        assert total == run.total()
        assert states == run.states
        parts = [run.came(EVENING + a, EVENING + b) for a, b in ((0, 70), (70, 1000))]
        assert parts[0][0] + parts[1][0] == run.total()
        assert 0 < sum(parts[0][1].values()) < run.windows
        assert sum(some.get(State.GOOD, 0) for _, some in parts) == run.states[State.GOOD]
        nothing, none = run.came(EVENING, EVENING + 1000, leave_out=run.parts)
        assert nothing.total_hits == (0 if run.parts else run.total().total_hits)
        assert bool(none) is not bool(run.parts)
