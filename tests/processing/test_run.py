"""A run: every word and byte accounted for, and the same again after a crash."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from muonscope.counting.counter import Counter
from muonscope.counting.summary import Summary
from muonscope.counting.window_spec import WindowSpec
from muonscope.counting.window_table import WindowTable
from muonscope.detector import Detector
from muonscope.errors import AccountingError, SourceError, StateError
from muonscope.intake.batch import Batch, Checkpoint, Stream, Token
from muonscope.intake.streams import Intake
from muonscope.processing.run import Restored, Run, Status, restore
from muonscope.transports.base import Piece, Place
from muonscope.transports.files import FileSource
from muonscope.transports.memory import MemorySink, MemorySource
from muonscope.transports.state import StateStore
from muonscope.words.codec import Decoded
from muonscope.words.layout import Words, pack_hits
from muonscope.words.rejects import Reject, RejectCode
from simulated import BRIGHT, simulated_words

WORDS = simulated_words(9000, profile=BRIGHT)
OPTIONS = {"run": "r", "window": "100ms"}


def new_run(
    detector: Detector,
    streams: Mapping[str, bytes],
    sink: MemorySink,
    *,
    chunk: int = 4000,
    window_s: float = 0.1,
    **options: Any,
) -> Run:
    """Return a run over streams in memory."""
    intake = Intake(MemorySource(streams, chunk), detector.readout, checkpoints=True)
    return Run("r", intake, Counter(detector, WindowSpec(window_s=window_s)), sink, **options)


def finished(
    detector: Detector, streams: Mapping[str, bytes], **options: Any
) -> tuple[Summary, list[dict[str, Any]], Run]:
    """Run to the end; return the account, the messages and the run."""
    sink = MemorySink()
    run = new_run(detector, streams, sink, **options)
    for _ in run.steps():
        pass
    return run.finish(), [orjson.loads(m) for m in sink.messages], run


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
    run = new_run(legnaro, {"a": WORDS.tobytes()}, MemorySink())
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
    run = new_run(legnaro, {"a": WORDS.tobytes()}, MemorySink())
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
    run = new_run(legnaro, {"a": WORDS.tobytes() + b"cut"}, MemorySink())
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

        def size(self) -> None:
            return None

    run = Run("r", Intake(Failing(), legnaro.readout), Counter(legnaro), MemorySink())
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
            place = self._known.get(name)
            if place and place.ended:
                continue
            read = place.restart if place else 0
            while read < len(data):
                part = data[read : read + 3001]
                read += len(part)
                yield Piece(key=name, name=name, data=part, read=read)
            yield Piece(key=name, name=name, read=read, ended=True)


def continued(detector: Detector, folder: Path, sink: MemorySink, crash_after: int) -> bool:
    """Start or continue a run; crash after some steps. Tell whether it came to its end."""
    store = StateStore(folder)
    try:
        restored = restore(store, OPTIONS, "start anew")
        if restored:
            del sink.messages[restored.sink_position :]
        source = Resuming(resumable_streams(WORDS), restored.known if restored else {})
        intake = Intake(
            source, detector.readout, streams=restored.streams if restored else None,
            checkpoints=True,
        )  # fmt: skip
        counter = Counter(detector, WindowSpec(window_s=0.1))
        run = Run(
            "r", intake, counter, sink, store=store, options=OPTIONS, restored=restored
        )  # fmt: skip
        for n, _ in enumerate(run.steps()):
            if n == crash_after:
                return False
        run.save()
        whole = run.finish()
        assert whole.accounting.words_in == len(WORDS)
        assert run.bytes.bytes_in == 8 * len(WORDS) + 3
        assert run.bytes.bytes_rejected == 3
        return True
    finally:
        store.close()


@pytest.mark.parametrize("crash_after", [4, 5, 9, 20])
def test_a_run_that_crashes_again_and_again_gives_the_messages_of_an_unbroken_one(
    legnaro: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash_after: int
) -> None:
    monkeypatch.setattr("muonscope.intake.streams._CHECKPOINT_S", 0.0)
    unbroken = MemorySink()
    assert continued(legnaro, tmp_path / "unbroken", unbroken, crash_after=10**9)
    sink = MemorySink()
    for _ in range(100):
        if continued(legnaro, tmp_path / "state", sink, crash_after):
            break
    assert sink.messages == unbroken.messages
    assert len(sink.messages) > 20


def test_a_run_that_came_to_its_end_can_be_run_again(legnaro: Detector, tmp_path: Path) -> None:
    sink = MemorySink()
    assert continued(legnaro, tmp_path, sink, crash_after=10**9)
    before = list(sink.messages)
    assert continued(legnaro, tmp_path, sink, crash_after=10**9)
    assert sink.messages == before


def test_state_of_other_options_is_refused(legnaro: Detector, tmp_path: Path) -> None:
    continued(legnaro, tmp_path, MemorySink(), crash_after=10**9)
    store = StateStore(tmp_path)
    assert restore(store, OPTIONS, "start anew") is not None
    with pytest.raises(StateError, match="window = '100ms', this one has '1s'"):
        restore(store, OPTIONS | {"window": "1s"}, "start anew")
    with pytest.raises(StateError, match="detector"):
        restore(store, OPTIONS | {"detector": "legnaro"}, "start anew")
    store.close()


@pytest.mark.parametrize("meta", [{}, {"options": OPTIONS}, {"options": None}])
def test_state_that_is_not_that_of_a_run_is_refused(
    tmp_path: Path, meta: Mapping[str, Any]
) -> None:
    store = StateStore(tmp_path)
    store.save(meta, {})
    with pytest.raises(StateError, match="state"):
        restore(store, OPTIONS, "start anew")
    store.close()


def test_a_new_store_restores_nothing(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    assert restore(store, OPTIONS, "start anew") is None
    store.close()


ROWS = b"2,0,5,1000,7,8\n" * 20
"""Text of 20 hits."""


def save_halfway(detector: Detector, folder: Path, data: bytes) -> Restored:
    """Run over ``data``, which goes on after that, and save; return what was saved."""

    class Growing:
        def pieces(self) -> Iterator[Piece]:
            yield Piece(key="a", name="a", data=data, read=len(data))

        def size(self) -> None:
            return None

    store = StateStore(folder)
    intake = Intake(Growing(), detector.readout)
    run = Run("r", intake, Counter(detector), MemorySink(), store=store, options=OPTIONS)
    for _ in run.steps():
        pass
    run.save()
    restored = restore(store, OPTIONS, "start anew")
    store.close()
    assert restored is not None
    return restored


def test_rejects_counted_before_a_crash_are_still_counted(
    legnaro: Detector, tmp_path: Path
) -> None:
    restored = save_halfway(legnaro, tmp_path, ROWS + b"2,0,bad,1,1,1\n" + ROWS)
    assert restored.rejects.bytes_rejected == 14
    again = new_run(legnaro, {}, MemorySink(), window_s=1.0, options=OPTIONS, restored=restored)
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
    for cut in (-3, None):
        for path, content in zip(files, data, strict=False):
            path.write_bytes(content[:cut])
        store = StateStore(tmp_path / "state")
        restored = restore(store, OPTIONS, "start anew")
        source = FileSource(files, known=restored.known if restored else None)
        intake = Intake(
            source,
            legnaro.readout,
            streams=restored.streams if restored else None,
            checkpoints=True,
        )
        run = Run(
            "r", intake, Counter(legnaro), MemorySink(),
            store=store, options=OPTIONS, restored=restored,
        )  # fmt: skip
        for _ in run.steps():
            pass
        run.save()
        totals.append((run.finish().accounting.words_in, run.bytes))
        store.close()
    assert totals[0][0] == 1998
    assert totals[0][1].bytes_rejected == 2 * 5
    assert totals[1][0] == 2000
    assert totals[1][1].bytes_rejected == 0
    assert totals[1][1].bytes_in == 16_000


# --- messages, and sinks that cannot be cut back -------------------------------------------


class Batches:
    """Gives batches as they are."""

    def __init__(self, *batches: Batch[Token]) -> None:
        self._batches = batches

    def batches(self) -> Iterator[Batch[Token]]:
        yield from self._batches


def stream_of(read: int) -> dict[str, Stream]:
    """Return a partition of which so many bytes were taken in."""
    place = Place(restart=read, read=read, mark=0, ended=False)
    return {"0": Stream(name="t[0]", place=place, bytes_in=read)}


def rejected(*values: bytes) -> tuple[tuple[Reject, bytes], ...]:
    """Return messages with why they were rejected."""
    return tuple(
        (Reject(code=RejectCode.BAD_JSON, offset=0, length=len(v), evidence=v, where="p"), v)
        for v in values
    )


def messages_run(
    detector: Detector, folder: Path, *batches: Batch[Token], lasting: bool, **options: Any
) -> tuple[MemorySink, list[str], Run]:
    """Run over batches to their end, and finish; return the order of what happened."""
    sink, events = MemorySink(), list[str]()

    class Noted(StateStore):
        def save(self, meta: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
            events.append(f"saved {len(sink.messages)}")
            super().save(meta, arrays)

    noted = Noted(folder)
    counter = Counter(detector, WindowSpec(window_s=0.1))
    run = Run(
        "r", Batches(*batches), counter, sink, store=noted, options=OPTIONS,
        restored=restore(noted, OPTIONS, "start anew"), lasting=lasting, **options,
    )  # fmt: skip
    for _ in run.steps():
        pass
    run.finish()
    events.append(f"finished {len(sink.messages)}")
    noted.close()
    return sink, events, run


def test_messages_that_were_no_words_are_handed_on_once_and_counted(
    legnaro: Detector, tmp_path: Path
) -> None:
    handed: list[list[bytes]] = []
    poison = rejected(b"page", b"{")
    batches = [
        Batch(Decoded(WORDS[:4000]), Token(others=stream_of(100))),
        Batch(
            Decoded(WORDS[4000:], [reject for reject, _ in poison]),
            Token(others=stream_of(300), poison=poison),
        ),
        Batch(Decoded(), Token()),
    ]
    _, _, run = messages_run(
        legnaro, tmp_path, *batches, lasting=True,
        reject=lambda some: handed.append([value for _, value in some]),
    )  # fmt: skip
    assert handed == [[b"page", b"{"]]
    assert run.bytes.bytes_in == 300
    assert run.bytes.bytes_rejected == 5
    assert run.bytes.rejects == {"BAD_JSON": 2}
    assert run.streams == stream_of(300)


def test_a_run_that_nobody_hands_rejects_of_only_counts_them(
    legnaro: Detector, tmp_path: Path
) -> None:
    poison = rejected(b"page")
    batch = Batch(Decoded(rejects=[poison[0][0]]), Token(others=stream_of(4), poison=poison))
    sink, _, run = messages_run(legnaro, tmp_path, batch, lasting=False)
    assert run.bytes.bytes_rejected == 4
    assert [orjson.loads(m)["bytes"]["bytes_in"] for m in sink.messages] == [4]


@pytest.mark.parametrize("lasting", [False, True])
def test_what_a_lasting_run_closes_at_its_end_stays_closed(
    legnaro: Detector, tmp_path: Path, lasting: bool
) -> None:
    first = Batch(Decoded(WORDS[:5000]), Token(others=stream_of(100)), checkpoint=Checkpoint.YES)
    rest = Batch(Decoded(WORDS[5000:]), Token(others=stream_of(200)), checkpoint=Checkpoint.YES)
    before, events, run = messages_run(legnaro, tmp_path, first, lasting=lasting)
    n = len(before.messages)
    saved = [int(event.split()[1]) for event in events if event.startswith("saved")]
    assert events[-1] == f"finished {n}"
    assert len(saved) == (2 if lasting else 1)
    assert saved[0] < n
    assert (saved[-1] == n) == lasting
    after, _, again = messages_run(legnaro, tmp_path, rest, lasting=lasting)
    windows = [
        [(m["epoch"], m["window"]) for m in map(orjson.loads, sink.messages) if "epoch" in m]
        for sink in (before, after)
    ]
    twice = {w for w in windows[0] if w[1] is not None} & set(windows[1])
    assert bool(twice) != lasting
    assert again.windows >= run.windows
    assert again.bytes.bytes_in == 200
