"""An archive beside the results of the same run: what differs, in words."""

from collections import defaultdict
from pathlib import Path

import numpy as np

from helpers.simulated import BRIGHT
from muonscope.archiving.archive import Archive
from muonscope.archiving.run_file import ChangeRecord
from muonscope.counting.block import Block
from muonscope.counting.blocks import BLOCKS
from muonscope.counting.summary import merged
from muonscope.detector import Detector, shipped_detector
from muonscope.quality.verdict import State
from muonscope.results.read_message import Remainder, WindowResult, read_result
from muonscope.simulation.faults import parse_fault
from muonscope.simulation.options import Simulation
from muonscope.simulation.telescope import simulate
from muonscope.words.layout import Words

__all__ = ["contradictions", "differences", "recording", "results_of", "words_of"]


def words_of(hours: float, *, seed: int = 1, start_orbit: int = 1_000_000) -> Words:
    """Return the words of some hours with few muons and a fault, shape (n,)."""
    detector = shipped_detector("legnaro")
    begin, end = 0.3 * hours * 3600, 0.6 * hours * 3600
    simulation = Simulation(
        detector=detector, profile=BRIGHT, seconds=hours * 3600, rate_scale=0.02, seed=seed,
        faults=(parse_fault(f"hv-off:ch1@{begin:.0f}s-{end:.0f}s", detector),),
        start_orbit=start_orbit,
    )  # fmt: skip
    return np.concatenate([batch.stream.words for batch in simulate(simulation)])


def recording(path: Path, *, hours: float) -> Path:
    """Write a recording of two epochs, the second a fifth as long as the first."""
    epochs = [words_of(hours), words_of(hours / 5, seed=2, start_orbit=0)]
    path.write_bytes(np.concatenate(epochs).astype("<u8").tobytes())
    return path


def results_of(
    path: Path, detector: Detector, blocks: tuple[Block, ...] = BLOCKS
) -> tuple[list[WindowResult], Remainder | None]:
    """Return the windows of a file of results, and what belongs to none."""
    found = [read_result(line, detector, blocks) for line in path.read_bytes().splitlines()]
    ends = [one for one in found if isinstance(one, Remainder)]
    windows = [one for one in found if isinstance(one, WindowResult)]
    return windows, ends[-1] if ends else None


def differences(archive: Path, run: str, results: Path) -> list[str]:
    """Return in what the archive of a run differs from its results."""
    with Archive(archive) as opened:
        found = opened[run]
        windows, end = results_of(results, found.detector, found.blocks)
        differing = []
        table, fine = found.table(), {n for b in found.blocks for n in b.by_window}
        places = list(zip(*(table[n].to_pylist() for n in ("epoch", "window")), strict=True))
        if places != [window.place for window in windows]:
            differing.append(f"found {len(places)} windows, expected {len(windows)}")
        else:
            rows = table.select(sorted(fine)).to_pylist()
            differing += [
                f"{window.place}: {name}" for window, row in zip(windows, rows, strict=True)
                for name in fine if row[name] != window.summary.arrays[name].ravel().tolist()
            ]  # fmt: skip
        total = merged([w.summary for w in windows], found.detector, found.blocks).condensed()
        if found.total() != total:
            differing.append("the total")
        whole = merged([p.summary for p in found.pieces()], found.detector, found.blocks)
        if whole.condensed() != total:
            differing.append("the sum of the pieces")
        if sum(found.minutes()["windows"].to_pylist()) != len(windows):
            differing.append("the minutes")
        if end and found.about.outside.get("words_in", 0) != end.summary.accounting.words_in:
            differing.append("what belongs to no window")
        if found.about.ended_at is None:
            differing.append("it has not ended")
        return differing + contradictions(found.changes)


def contradictions(changes: list[ChangeRecord]) -> list[str]:
    """Return the changes of verdicts that do not follow from those before."""
    last: dict[tuple[str, str], State] = defaultdict(lambda: State.GOOD)
    found = []
    for change in changes:
        key = change.check, change.target
        before = State.named(change.before)
        if max(before, State.NOT_ENOUGH) != max(last[key], State.NOT_ENOUGH):
            found.append(f"{key} was {last[key].label}, not {change.before}: {change}")
        last[key] = change.after
    return found
