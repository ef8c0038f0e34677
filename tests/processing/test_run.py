"""A run: every word and byte accounted for, and the same again after a crash."""

import itertools
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from helpers.simulated import BRIGHT, simulated_words
from muonscope.counting.counter import Counter
from muonscope.counting.summary import Summary
from muonscope.counting.window_spec import WindowSpec
from muonscope.counting.window_table import WindowTable
from muonscope.detector import Detector
from muonscope.errors import AccountingError, SourceError, StateError
from muonscope.intake.batch import Checkpoint, Position, WordBatch
from muonscope.intake.checkpoints import Checkpoints
from muonscope.intake.message_book import TopicPosition
from muonscope.intake.streams import StreamIntake, StreamPosition
from muonscope.processing.outputs import Output, Restored, restore
from muonscope.processing.run import Run, Status
from muonscope.transports.base import Ledger, PartitionPosition, Piece, State
from muonscope.transports.files import FileSource
from muonscope.transports.memory import MemoryLedger, MemorySource
from muonscope.transports.state import pack_state, unpack_state
from muonscope.words.codec import Decoded
from muonscope.words.layout import Words, pack_hits
from muonscope.words.rejects import Reject, RejectCode

WORDS = simulated_words(9000, profile=BRIGHT)
OPTIONS = {"run": "r", "window": "100ms"}


def ticking() -> Checkpoints:
    """Return what asks for a snapshot after every batch."""
    now = itertools.count(step=10.0)
    return Checkpoints(lambda: next(now))


class PackedLedger(MemoryLedger):
    """A ledger whose state goes through bytes, as on disk."""

    def __init__(self, *, can_cut_back: bool = True) -> None:
        super().__init__()
        self.can_cut_back, self.events = can_cut_back, list[str]()

    def commit(self, state: State | None) -> None:
        if state is not None:
            self.events.append(f"saved {len(self.messages)}")
            state = unpack_state(pack_state(*state), "memory")
        super().commit(state)


def restored_from(ledger: Ledger) -> Restored | None:
    """Return what a run left in a ledger."""
    return restore(ledger, OPTIONS, ["a"], "start anew")


def new_run(
    detector: Detector,
    streams: Mapping[str, bytes],
    ledger: MemoryLedger,
    *,
    chunk: int = 4000,
    window_s: float = 0.1,
    restored: Restored | None = None,
) -> Run:
    """Return a run over streams in memory."""
    intake = StreamIntake(MemorySource(streams, chunk), detector.readout, checkpoints=ticking())
    output = Output(ledger=ledger, restored=restored)
    return Run("r", intake, Counter(detector, WindowSpec(window_s=window_s)), output, OPTIONS)


def finished(
    detector: Detector, streams: Mapping[str, bytes], **options: Any
) -> tuple[Summary, list[dict[str, Any]], Run]:
    """Run to the end; return the account, the messages and the run."""
    ledger = MemoryLedger()
    run = new_run(detector, streams, ledger, **options)
    for _ in run.steps():
        pass
    return run.finish(), [orjson.loads(m) for m in ledger.messages], run


def law(account: Mapping[str, int]) -> bool:
    """Tell whether the words of an account add up."""
    return account["words_in"] == sum(n for name, n in account.items() if name != "words_in")


def test_every_word_and_byte_is_accounted_for(legnaro: Detector) -> None:
    streams = {"a": WORDS.tobytes() + b"cut", "page": b"<html>" * 100, "empty": b""}
    whole, messages, run = finished(legnaro, streams)
    assert whole.accounting.words_in == len(WORDS)
    assert all(law(message["accounting"]) for message in messages)
    assert sum(m["accounting"]["words_in"] for m in messages) == len(WORDS)
    assert sum(m["total_hits"] for m in messages) == whole.total_hits
    account = run.bytes
    assert account.bytes_in == sum(map(len, streams.values()))
    assert account.bytes_rejected == 3 + 600
    assert account.bytes_in == account.bytes_decoded + account.bytes_rejected
    assert account.rejects == {"TRUNCATED": 1, "UNKNOWN_FORMAT": 1}
    remainder = messages[-1]
    assert remainder["window"] is None
    assert remainder["bytes"]["bytes_in"] == account.bytes_in
    assert remainder["bytes"]["bytes_rejected"] == 603


@pytest.mark.parametrize("chunk", [8, 1001, 1 << 20])
def test_messages_do_not_depend_on_the_pieces(legnaro: Detector, chunk: int) -> None:
    streams = {"a": WORDS[:2000].tobytes()}
    assert finished(legnaro, streams, chunk=chunk)[1] == finished(legnaro, streams)[1]


def test_statuses_grow_and_end_at_the_whole(legnaro: Detector) -> None:
    run = new_run(legnaro, {"a": WORDS.tobytes()}, MemoryLedger())
    statuses: list[Status] = list(run.steps())
    run.finish()
    words = [status.words for status in statuses]
    assert statuses[-1].words == len(WORDS)
    assert words == sorted(words)
    assert {status.stream for status in statuses} - {""} == {"a"}
    assert statuses[-1].epochs == 1
    assert run.windows >= statuses[-1].windows > 0


def test_a_run_without_a_word_publishes_nothing(legnaro: Detector) -> None:
    whole, messages, run = finished(legnaro, {})
    assert whole.accounting.words_in == 0
    assert messages == []
    assert run.windows == 0


def test_a_run_of_clean_words_has_no_remainder(legnaro: Detector) -> None:
    _, messages, _ = finished(legnaro, {"a": pack_hits(2, 0, [1, 2, 3, 4], 10, 1, 1).tobytes()})
    assert [m["window"] for m in messages] == [0]


def test_words_that_go_missing_are_an_accounting_error(
    legnaro: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = Counter.finish_in_parts

    def losing(counter: Counter) -> Iterator[WindowTable]:
        for table in finish(counter):
            table.class_words[0, np.flatnonzero(table.class_words[0])[0]] -= 1
            yield table

    monkeypatch.setattr(Counter, "finish_in_parts", losing)
    run = new_run(legnaro, {"a": WORDS.tobytes()}, MemoryLedger())
    for _ in run.steps():
        pass
    lost = rf"{len(WORDS)} words came in, {len(WORDS) - 1} were counted"
    with pytest.raises(AccountingError, match=lost):
        run.finish()


def test_bytes_that_go_missing_are_an_accounting_error(
    legnaro: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    from muonscope.words.binary import DatDecoder

    monkeypatch.setattr(DatDecoder, "finish", lambda decoder: Decoded())
    run = new_run(legnaro, {"a": WORDS.tobytes() + b"cut"}, MemoryLedger())
    with pytest.raises(AccountingError, match=r"a: .* bytes came in"):
        for _ in run.steps():
            pass


def test_a_stream_that_fails_is_noted_and_the_others_are_counted(legnaro: Detector) -> None:
    class Failing:
        def pieces(self) -> Iterator[Piece]:
            yield Piece(key="bad", name="bad", error=SourceError("bad: no permission"))
            yield Piece(key="good", name="good", data=WORDS.tobytes(), read=8 * len(WORDS))
            yield Piece(key="good", name="good", read=8 * len(WORDS), ended=True)
            yield Piece(key="worse", name="worse", error=SourceError("worse: gone"))

        def hold(self, streams: Collection[int]) -> None:
            pass

        def size(self) -> None:
            return None

    intake = StreamIntake(Failing(), legnaro.readout)
    run = Run("r", intake, Counter(legnaro), Output(ledger=MemoryLedger()))
    for _ in run.steps():
        pass
    assert run.finish().accounting.words_in == len(WORDS)
    assert [str(error) for error in run.errors] == ["bad: no permission", "worse: gone"]


# --- saved and restored --------------------------------------------------------------------


def resumable_streams(words: Words) -> dict[str, bytes]:
    """Return three streams, the last with a word cut short."""
    third = len(words) // 3 * 8
    data = words.tobytes()
    return {"a": data[:third], "b": data[third : 2 * third], "c": data[2 * third :] + b"cut"}


class Resuming(MemorySource):
    """Streams in memory that go on where they were read to."""

    def __init__(self, streams: Mapping[str, bytes], known: Mapping[str, Any]) -> None:
        super().__init__(streams)
        self._known = known

    def pieces(self) -> Iterator[Piece]:
        for name, data in self._streams.items():
            position = self._known.get(name)
            if position and position.ended:
                continue
            read = position.restart if position else 0
            while read < len(data):
                part = data[read : read + 3001]
                read += len(part)
                yield Piece(key=name, name=name, data=part, read=read)
            yield Piece(key=name, name=name, read=read, ended=True)


def files_in(restored: Restored | None) -> dict[str, StreamPosition]:
    """Return the positions that were restored, all of which are of streams of bytes."""
    positions = restored.positions if restored else {}
    return {key: p for key, p in positions.items() if isinstance(p, StreamPosition)}


def continued(detector: Detector, ledger: MemoryLedger, crash_after: int) -> bool:
    """Start or continue a run; crash after some steps. Tell whether it came to its end."""
    restored = restored_from(ledger)
    known = files_in(restored)
    source = Resuming(resumable_streams(WORDS), {key: p.file for key, p in known.items()})
    intake = StreamIntake(source, detector.readout, positions=known, checkpoints=ticking())
    counter = Counter(detector, WindowSpec(window_s=0.1))
    run = Run("r", intake, counter, Output(ledger=ledger, restored=restored), OPTIONS)
    for n, _ in enumerate(run.steps()):
        if n == crash_after:
            return False
    run.save()
    whole = run.finish()
    assert whole.accounting.words_in == len(WORDS)
    assert run.bytes.bytes_in == 8 * len(WORDS) + 3
    assert run.bytes.bytes_rejected == 3
    return True


@pytest.mark.parametrize("crash_after", [4, 5, 9, 20])
def test_a_run_that_crashes_again_and_again_gives_the_messages_of_an_unbroken_one(
    legnaro: Detector, crash_after: int
) -> None:
    unbroken = PackedLedger()
    assert continued(legnaro, unbroken, crash_after=10**9)
    ledger = PackedLedger()
    for _ in range(100):
        if continued(legnaro, ledger, crash_after):
            break
    assert ledger.messages == unbroken.messages
    assert len(ledger.messages) > 20


def test_a_run_that_came_to_its_end_can_be_run_again(legnaro: Detector) -> None:
    ledger = PackedLedger()
    assert continued(legnaro, ledger, crash_after=10**9)
    before = list(ledger.messages)
    assert continued(legnaro, ledger, crash_after=10**9)
    assert ledger.messages == before


def test_state_of_other_options_is_refused(legnaro: Detector) -> None:
    ledger = PackedLedger()
    continued(legnaro, ledger, crash_after=10**9)
    assert restored_from(ledger) is not None
    with pytest.raises(StateError, match="window = '100ms', this one has '1s'"):
        restore(ledger, OPTIONS | {"window": "1s"}, ["a"], "start anew")
    with pytest.raises(StateError, match="detector"):
        restore(ledger, OPTIONS | {"detector": "legnaro"}, ["a"], "start anew")


@pytest.mark.parametrize("meta", [{}, {"options": OPTIONS}, {"options": None}])
def test_state_that_is_not_that_of_a_run_is_refused(meta: dict[str, Any]) -> None:
    ledger = MemoryLedger()
    ledger.commit((meta, {}))
    with pytest.raises(StateError, match="state"):
        restored_from(ledger)


def test_a_new_ledger_restores_nothing() -> None:
    assert restored_from(MemoryLedger()) is None


def test_standard_input_always_begins_anew(legnaro: Detector) -> None:
    ledger = PackedLedger()
    continued(legnaro, ledger, crash_after=10**9)
    assert restore(ledger, OPTIONS, ["-"], "start anew") is None


ROWS = b"2,0,5,1000,7,8\n" * 20
"""Text of 20 hits."""


def save_halfway(detector: Detector, data: bytes) -> Restored:
    """Run over ``data``, which goes on after that, and save; return what was saved."""

    class Growing:
        def pieces(self) -> Iterator[Piece]:
            yield Piece(key="a", name="a", data=data, read=len(data))

        def size(self) -> None:
            return None

        def hold(self, streams: Collection[int]) -> None:
            pass

    ledger = PackedLedger()
    intake = StreamIntake(Growing(), detector.readout)
    run = Run("r", intake, Counter(detector), Output(ledger=ledger), OPTIONS)
    for _ in run.steps():
        pass
    run.save()
    restored = restored_from(ledger)
    assert restored is not None
    return restored


def test_rejects_counted_before_a_crash_are_still_counted(legnaro: Detector) -> None:
    restored = save_halfway(legnaro, ROWS + b"2,0,bad,1,1,1\n" + ROWS)
    assert restored.rejects.bytes_rejected == 14
    again = new_run(legnaro, {}, MemoryLedger(), window_s=1.0, restored=restored)
    assert again.bytes.bytes_in == 2 * len(ROWS) + 14
    assert again.bytes.rejects == {"NOT_A_NUMBER": 1}


@pytest.mark.parametrize("last", ["missing", "empty"])
def test_a_record_cut_short_is_not_saved_as_final_whatever_comes_last(
    legnaro: Detector, tmp_path: Path, last: str
) -> None:
    """Two files grow between two runs, and after them is one that is missing or empty."""
    files = [tmp_path / name for name in ("a", "b", last)]
    data = [WORDS[:1001].tobytes(), WORDS[1001:2000].tobytes()]
    if last == "empty":
        files[2].touch()
    totals = []
    ledger = PackedLedger()
    for cut in (-3, None):
        for path, content in zip(files, data, strict=False):
            path.write_bytes(content[:cut])
        restored = restored_from(ledger)
        known = files_in(restored)
        source = FileSource(files, known={key: p.file for key, p in known.items()})
        intake = StreamIntake(
            source, legnaro.readout, positions=known, checkpoints=Checkpoints(lambda: 0.0)
        )
        output = Output(ledger=ledger, restored=restored)
        run = Run("r", intake, Counter(legnaro), output, OPTIONS)
        for _ in run.steps():
            pass
        run.save()
        totals.append((run.finish().accounting.words_in, run.bytes))
    assert totals[0][0] == 1998
    assert totals[0][1].bytes_rejected == 2 * 5
    assert totals[1][0] == 2000
    assert totals[1][1].bytes_rejected == 0
    assert totals[1][1].bytes_in == 16_000


# --- messages, and ledgers that cannot be cut back -----------------------------------------


class Batches:
    """Gives batches as they are."""

    def __init__(self, *batches: WordBatch) -> None:
        self._batches = batches

    def batches(self) -> Iterator[WordBatch]:
        yield from self._batches


def partition_of(read: int) -> dict[str, Position]:
    """Return a partition of which so many bytes were taken in."""
    begin = PartitionPosition(offset=read, mark=0)
    return {"0": TopicPosition(name="t[0]", partition=begin, bytes_in=read)}


def rejected(*values: bytes) -> tuple[tuple[Reject, bytes], ...]:
    """Return messages with why they were rejected."""
    return tuple(
        (Reject(code=RejectCode.BAD_JSON, offset=0, length=len(v), evidence=v, where="p"), v)
        for v in values
    )


def messages_run(detector: Detector, ledger: PackedLedger, *batches: WordBatch) -> Run:
    """Run over batches to their end, and finish, as what ``ledger`` holds says."""
    counter = Counter(detector, WindowSpec(window_s=0.1))
    restored = restore(ledger, OPTIONS, ["kafka://h:1/t"], "start anew")
    output = Output(ledger=ledger, restored=restored)
    run = Run("r", Batches(*batches), counter, output, OPTIONS)
    for _ in run.steps():
        pass
    run.finish()
    return run


def test_messages_that_were_no_words_are_handed_on_once_and_counted(legnaro: Detector) -> None:
    ledger, poison = PackedLedger(can_cut_back=False), rejected(b"page", b"{")
    batches = [
        WordBatch(words=WORDS[:4000], positions=partition_of(100)),
        WordBatch(
            words=WORDS[4000:],
            rejects=[reject for reject, _ in poison],
            positions=partition_of(300),
            poison=poison,
        ),
        WordBatch(),
    ]
    run = messages_run(legnaro, ledger, *batches)
    assert [value for _, value in ledger.rejected] == [b"page", b"{"]
    assert run.bytes.bytes_in == 300
    assert run.bytes.bytes_rejected == 5
    assert run.bytes.rejects == {"BAD_JSON": 2}
    assert run.positions == partition_of(300)


def test_the_remainder_tells_the_bytes_of_messages_that_were_no_words(legnaro: Detector) -> None:
    ledger, poison = PackedLedger(), rejected(b"page")
    batch = WordBatch(rejects=[poison[0][0]], positions=partition_of(4), poison=poison)
    run = messages_run(legnaro, ledger, batch)
    assert run.bytes.bytes_rejected == 4
    assert [orjson.loads(m)["bytes"]["bytes_in"] for m in ledger.messages] == [4]


@pytest.mark.parametrize("can_cut_back", [True, False])
def test_windows_closed_at_the_end_stay_closed_where_they_cannot_be_cut_back(
    legnaro: Detector, *, can_cut_back: bool
) -> None:
    ledger = PackedLedger(can_cut_back=can_cut_back)
    first = WordBatch(words=WORDS[:5000], positions=partition_of(100), checkpoint=Checkpoint.YES)
    rest = WordBatch(words=WORDS[5000:], positions=partition_of(200), checkpoint=Checkpoint.YES)
    run = messages_run(legnaro, ledger, first)
    before = list(ledger.messages)
    saved = [int(event.split()[1]) for event in ledger.events]
    assert saved[0] == 0, "before anything was published"
    assert len(saved) == (2 if can_cut_back else 3)
    assert saved[1] < len(before)
    assert (saved[-1] == len(before)) == (not can_cut_back)
    again = messages_run(legnaro, ledger, rest)
    after = ledger.messages[saved[-1] :]
    windows = [
        [(m["epoch"], m["window"]) for m in map(orjson.loads, messages) if "epoch" in m]
        for messages in (before, after)
    ]
    twice = {w for w in windows[0] if w[1] is not None} & set(windows[1])
    assert bool(twice) == can_cut_back
    assert again.windows >= run.windows
    assert again.bytes.bytes_in == 200
