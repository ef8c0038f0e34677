"""Words like those of a telescope, made in bulk: content for benchmarks, not physics.

Muons cross chambers at random times and leave a hit in each of four layers, noise adds
hits on all channels, a scintillator fires with a part of the muons, ancillary words run
ahead; words leave each FPGA in order of time, in groups of four, as the DAQ writes them.
"""

import numpy as np

from muonscope.detector import Detector, shipped_detector
from muonscope.units import BX_PER_ORBIT, ORBIT_S
from muonscope.words.layout import Words, pack_hits

__all__ = ["synthetic_words"]

_GROUP = 4
_TICKS = 30 * BX_PER_ORBIT


def synthetic_words(
    n: int,
    *,
    detector: Detector | None = None,
    rate_hz: float = 3000.0,
    scintillator_share: float = 0.01,
    ancillary_share: float = 0.1,
    seed: int = 1,
) -> Words:
    """Return about ``n`` words of shape ``(m,)``.

    ``scintillator_share`` is the part of the muons that also fire the scintillator,
    ``ancillary_share`` that of ancillary words. The same seed gives the same words.
    """
    rng = np.random.default_rng(seed)
    detector = detector or shipped_detector()
    hits = n * (1 - ancillary_share)
    orbits = hits / rate_hz / ORBIT_S
    muons, noise = int(hits * 0.55 / 8), int(hits * 0.45)
    start = 1_000_000 * _TICKS
    cells = detector.cells()
    chambers = rng.integers(0, detector.n_chambers, (2, muons))
    firsts = np.array([detector.first_cell(c) for c in range(detector.n_chambers)])
    wires = np.array([c.n_channels // 4 for c in detector.chambers])
    t0 = np.sort(rng.integers(0, int(orbits * _TICKS), muons))
    cell, time = (
        [rng.integers(0, detector.n_cells, noise)],
        [rng.integers(0, int(orbits * _TICKS), noise)],
    )
    for crossed in chambers:
        wire = rng.integers(0, wires[crossed])
        for layer in range(4):
            cell.append(firsts[crossed] + wire * 4 + layer)
            time.append(t0 + rng.integers(0, 468, muons))
    all_cells, ticks = np.concatenate(cell), np.concatenate(time) + start
    tagged = t0[rng.random(muons) < scintillator_share] + start
    scintillator = detector.scintillators[0]
    fpga = np.concatenate([cells.fpga[all_cells], np.full(len(tagged), scintillator.fpga or 0)])
    channel = np.concatenate([cells.channel[all_cells], np.full(len(tagged), scintillator.channel)])
    ticks = np.concatenate([ticks, tagged])
    orbit, rest = np.divmod(ticks, _TICKS)
    words = pack_hits(
        detector.readout.hit_head, fpga, channel, orbit, rest // 30, rest % 30 + 1,
        version=detector.readout.version,
    )  # fmt: skip
    if detector.readout.version == 2:
        m = int(n * ancillary_share)
        when = np.sort(rng.integers(0, int(orbits), m)) + 1_000_000
        lane = rng.choice(detector.fpgas, m)
        ancillary = (
            rng.choice([0, 1, 3, 4, 5], m).astype(np.uint64) << np.uint64(61)
            | lane.astype(np.uint64) << np.uint64(58)
            | (when + 120_000).astype(np.uint64) << np.uint64(24)
        )
        words = np.concatenate([words, ancillary])
        fpga, orbit = np.concatenate([fpga, lane]), np.concatenate([orbit, when])
    return _in_groups(words, fpga, orbit)


def _in_groups(words: Words, fpga: np.ndarray, orbit: np.ndarray) -> Words:
    """Order each FPGA by orbit, then interleave them in groups of four."""
    order, key = [], []
    for lane in np.unique(fpga):
        rows = np.flatnonzero(fpga == lane)
        rows = rows[np.argsort(orbit[rows], kind="stable")]
        group = np.minimum.reduceat(orbit[rows], np.arange(0, len(rows), _GROUP))
        order.append(rows)
        key.append(np.repeat(group, _GROUP)[: len(rows)])
    merged = np.argsort(np.concatenate(key), kind="stable")
    return words[np.concatenate(order)[merged]]
