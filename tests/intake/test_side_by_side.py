"""Files of streams that run side by side give every window of their words in one order."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.cases import case
from helpers.examples import examples
from helpers.side_by_side import DISTRIBUTIONS, Windows, exact_part, spread, windows_in_order
from helpers.simulated import simulated_words
from muonscope.counting.counter import Counter
from muonscope.counting.window_spec import WindowSpec
from muonscope.detector import shipped_detector
from muonscope.errors import FormatError
from muonscope.events import ignore
from muonscope.intake.admission import AdmitOnce
from muonscope.intake.batch import Position, WordBatch, WordSource
from muonscope.intake.checkpoints import Checkpoints
from muonscope.intake.looking import Once
from muonscope.intake.opening import open_words
from muonscope.intake.side_by_side import FileEnding, intake_of
from muonscope.intake.streams import StreamPosition
from muonscope.transports.base import FilePosition, Turn
from muonscope.transports.files import FileSource
from muonscope.transports.following import FollowSource
from muonscope.words.binary import DatEncoder
from muonscope.words.layout import Words, fpga
from muonscope.words.text_encode import TextEncoder

LEGNARO = shipped_detector("legnaro")
READOUT = LEGNARO.readout
ENCODERS: dict[str, Callable[[], DatEncoder | TextEncoder]] = {
    "dat": DatEncoder,
    "csv": lambda: TextEncoder(READOUT, json=False),
    "json": lambda: TextEncoder(READOUT, json=True),
}


def written(folder: Path, parts: Sequence[Words], form: str) -> list[tuple[Path, int]]:
    """Write the words of each stream into two files; return them with their streams."""
    files: list[tuple[Path, int]] = []
    for number, words in enumerate(parts):
        for piece, some in enumerate(np.array_split(words, 2)):
            path = folder / f"part-{number:05}-{piece}.{form}"
            encoder = ENCODERS[form]()
            path.write_bytes(encoder.begin() + encoder.encode(some) + encoder.end())
            files.append((path, number))
    return files


def source_of(files: Sequence[tuple[Path, int]], known: Mapping[str, Position]) -> FileSource:
    places: dict[str, FilePosition] = {
        key: p.file for key, p in known.items() if isinstance(p, StreamPosition)
    }
    source = FileSource([path for path, _ in files], known=places)
    source.take([Turn(name=str(path), stream=number) for path, number in files])
    return source


def windows_of(batches: Sequence[WordBatch], idle_s: float = 5.0) -> Windows:
    counter = Counter(LEGNARO, WindowSpec(idle_s=idle_s))
    windows = [w for batch in batches for w in counter.push(batch.words, batch.streams)]
    return exact_part([*windows, *counter.finish()])


class Ticking:
    now = 0.0

    def __call__(self) -> float:
        self.now += 0.3
        return self.now


@examples(60)
@given(
    seed=st.integers(1, 20),
    streams=st.integers(1, 6),
    how=st.sampled_from(DISTRIBUTIONS),
    form=st.sampled_from(["dat", "csv", "json"]),
    stops=st.lists(st.integers(0, 12), max_size=3),
)
def test_no_spread_and_no_restart_changes_a_window(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int, streams: int, how: str, form: str, stops: list[int],
) -> None:  # fmt: skip
    words = simulated_words(3_000, seed=seed)
    of_word = spread(how, len(words), streams, seed)
    folder = tmp_path_factory.mktemp("parts")
    files = written(folder, [words[of_word == s] for s in range(streams)], form)
    positions: dict[str, Position] = {}
    taken: list[WordBatch] = []
    for stop in [*stops, 1 << 60]:
        known = {k: p for k, p in positions.items() if isinstance(p, StreamPosition)}
        source = source_of(files, known)
        intake = intake_of(source, READOUT, positions=known, checkpoints=Checkpoints(Ticking()))
        for n, batch in enumerate(intake.batches()):
            taken.append(batch)
            positions |= batch.positions
            if n >= stop and batch.checkpoint:  # a run is killed after its state was saved
                break
        else:
            break
        saved = orjson.loads(orjson.dumps({k: p.as_json() for k, p in positions.items()}))
        positions = {key: StreamPosition.from_json(value) for key, value in saved.items()}
    assert windows_of(taken) == windows_in_order(words, LEGNARO, WindowSpec())
    assert sum(len(batch.words) for batch in taken) == len(words)
    assert sum(p.bytes_in for p in positions.values()) == sum(
        path.stat().st_size for path, _ in files
    )


def test_two_boards_that_write_files_of_their_own_lose_nothing() -> None:
    folder = case("8-two-boards") / "run000043"
    abreast = list(open_words([str(folder)], LEGNARO).batches())
    in_turn = list(open_words([str(folder)], LEGNARO, allow_duplicates=True).batches())
    assert sum(len(batch.words) for batch in abreast) == 40_288
    expected = windows_of(in_turn, idle_s=60.0)
    assert windows_of(abreast) == expected
    assert windows_of(in_turn) != expected


@pytest.mark.parametrize("pieces", [1, 20])
def test_boards_are_read_abreast_while_their_files_grow(tmp_path: Path, pieces: int) -> None:
    names = [f"board{n}_000000.csv" for n in (0, 1)]
    folder = case("8-two-boards") / "run000043"
    data = [(folder / name).read_bytes() for name in names]
    polls = iter(range(100))

    def wait(_: float) -> None:
        poll = next(polls)
        for name, some in zip(names, data, strict=True):
            begin, end = (min(len(some), len(some) * n // pieces) for n in (poll, poll + 1))
            with (tmp_path / name).open("ab") as file:
                file.write(some[begin:end])

    clock = Ticking()
    source = FollowSource(
        lambda: sorted(tmp_path.iterdir()), clock=clock, wait=wait, idle_exit_s=30.0,
        admission=AdmitOnce(Once(readout=READOUT, tell=ignore), clock),
    )  # fmt: skip
    due = Checkpoints(clock, wanted=False)
    intake = intake_of(source, READOUT, checkpoints=due, ending=FileEnding(grows=True))
    batches = list(intake.batches())
    assert sum(len(batch.words) for batch in batches) == 40_288
    in_turn = list(open_words([str(folder)], LEGNARO, allow_duplicates=True).batches())
    assert windows_of(batches) == windows_of(in_turn, idle_s=60.0)


def boards(words: Words) -> list[Words]:
    """Return the words of each FPGA."""
    fpgas = fpga(words, READOUT.version)
    return [words[fpgas == n] for n in np.unique(fpgas)]


@pytest.mark.parametrize("form", ["dat", "csv"])
def test_boards_of_which_one_ends_early_are_read_to_their_ends(tmp_path: Path, form: str) -> None:
    words = simulated_words(60_000, seed=2)
    first, second, *_ = boards(words)
    files = written(tmp_path, [first[: len(first) // 10], second], form)
    batches = list(intake_of(source_of(files, {}), READOUT).batches())
    counter = Counter(LEGNARO, WindowSpec())
    windows = [w for batch in batches for w in counter.push(batch.words, batch.streams)]
    windows += counter.finish()
    assert sum(w.summary.accounting.late for w in windows) == 0
    total = sum(w.summary.accounting.words_in for w in windows)
    assert total == len(first) // 10 + len(second)


def test_a_stream_that_cannot_be_read_further_does_not_stop_the_others(tmp_path: Path) -> None:
    words = simulated_words(6_000, seed=4)
    first, second, *_ = boards(words)
    files = written(tmp_path, [first, second], "csv")
    files[1][0].unlink()
    batches = list(intake_of(source_of(files, {}), READOUT).batches())
    assert [batch.error is not None for batch in batches].count(True) == 1
    assert not any(isinstance(batch.error, FormatError) for batch in batches)
    half = len(np.array_split(first, 2)[0])
    assert sum(len(batch.words) for batch in batches) == half + len(second)


def test_what_waits_is_given_when_it_is_stopped_and_no_run_goes_on(tmp_path: Path) -> None:
    words = simulated_words(6_000, seed=4)
    files = written(tmp_path, boards(words), "csv")
    seen: list[int] = []
    stop = FileEnding(stop=lambda: len(seen) > 0)
    source: WordSource = intake_of(source_of(files, {}), READOUT, ending=stop)
    seen.extend(len(batch.words) for batch in source.batches())
    assert 0 < sum(seen) < len(words)
