"""Edges of drift boxes: fitted where they are, with errors that are as large as the scatter."""

import numpy as np
import pytest

from muonscope.counting.blocks.drift import DRIFT_BIN_NS, DRIFT_BINS, DRIFT_LOW_NS
from muonscope.quality.edges import edges_of

BINS = DRIFT_LOW_NS + DRIFT_BIN_NS * np.arange(DRIFT_BINS + 1)


def box(seed: int, n: int, begin: float = 0.0, end: float = 370.0) -> np.ndarray:
    """Return a histogram of ``n`` drift times and a few of noise."""
    rng = np.random.default_rng(seed)
    times = rng.uniform(begin, end, n) + rng.normal(0.0, 5.0, n)
    return np.histogram(np.append(times, rng.uniform(-100.0, 700.0, n // 20)), BINS)[0]


@pytest.mark.parametrize("n", [400, 2_000, 20_000])
def test_errors_are_as_large_as_the_scatter(n: int) -> None:
    rising, falling = [], []
    for seed in range(100):
        edges = edges_of(box(seed, n))
        assert edges.rising
        assert edges.falling
        rising.append(edges.rising.at_ns / edges.rising.error_ns)
        falling.append((edges.falling.at_ns - 370.0) / edges.falling.error_ns)
    for pulls in (rising, falling):
        assert abs(np.mean(pulls)) < 0.5
        assert 0.75 < np.std(pulls) < 1.35


@pytest.mark.parametrize("shift", [-50.0, -20.0, 20.0, 50.0])
def test_edges_move_with_the_box(shift: float) -> None:
    edges = edges_of(box(1, 5_000, shift, 370.0 + shift))
    assert edges.rising
    assert edges.falling
    assert edges.rising.at_ns == pytest.approx(shift, abs=4 * edges.rising.error_ns)
    assert edges.falling.at_ns == pytest.approx(370 + shift, abs=4 * edges.falling.error_ns)


def test_a_slower_gas_moves_the_end_alone() -> None:
    edges = edges_of(box(1, 5_000, 0.0, 400.0))
    assert edges.rising
    assert edges.falling
    assert edges.rising.at_ns == pytest.approx(0.0, abs=4 * edges.rising.error_ns)
    assert edges.falling.at_ns == pytest.approx(400.0, abs=4 * edges.falling.error_ns)


@pytest.mark.parametrize(
    "counts",
    [
        np.zeros(DRIFT_BINS, np.int64),
        box(1, 100),
        np.full(DRIFT_BINS, 10),
        np.eye(1, DRIFT_BINS, 100, dtype=np.int64)[0] * 100_000,
        np.eye(1, DRIFT_BINS, 0, dtype=np.int64)[0] * 100_000,
        np.eye(1, DRIFT_BINS, DRIFT_BINS - 1, dtype=np.int64)[0] * 100_000,
        np.arange(DRIFT_BINS),
        np.random.default_rng(1).poisson(3, DRIFT_BINS),
    ],
    ids=["nothing", "few", "flat", "one bin", "first bin", "last bin", "ramp", "noise"],
)
def test_what_is_no_box_gives_no_edge_or_an_honest_one(counts: np.ndarray) -> None:
    for edge in edges_of(counts):
        assert edge is None or (-100.0 <= edge.at_ns <= 700.0 and 0.0 < edge.error_ns < 30.0)
    if counts.sum() < 300:
        assert edges_of(counts) == (None, None)


def test_noise_alone_has_no_edges() -> None:
    found = [edges_of(np.random.default_rng(s).poisson(20, DRIFT_BINS)) for s in range(30)]
    assert sum(edge is not None for edges in found for edge in edges) <= 3
