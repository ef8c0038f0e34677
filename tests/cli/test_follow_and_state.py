"""``process --follow`` and ``--state``: whatever happens, the answer of an unbroken run."""

import gzip
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from helpers.command import Command, Finished, Running, until, windows_of
from helpers.simulated import BRIGHT, simulated_words
from muonscope.detector import Detector
from muonscope.transports.state import StateStore
from muonscope.words.text_encode import TextEncoder

WORDS = simulated_words(12_000, profile=BRIGHT)
PARTS = 4
SMALL = {
    "muonscope.transports.files.CHUNK_BYTES": 4096,
    "muonscope.intake.checkpoints._SLOW_S": 0.0,
}
"""Settings under which a small file is as long as a big one: 12 or more pieces each."""

FORMS = ("dat", "csv", "gzip")


def encoded(form: str, detector: Detector, part: int, parts: int = PARTS) -> bytes:
    """Return one part of the words in a form."""
    size = len(WORDS) // parts + 1
    words = WORDS[part * size : (part + 1) * size]
    if form == "dat":
        return words.tobytes()
    encoder = TextEncoder(detector.readout)
    text = encoder.begin() + encoder.encode(words)
    return gzip.compress(text) if form == "gzip" else text


def write_run(folder: Path, form: str, detector: Detector) -> Path:
    """Write all words as a folder of files."""
    folder.mkdir()
    for part in range(PARTS):
        (folder / f"data_{part + 6}").write_bytes(encoded(form, detector, part))
    return folder


@pytest.fixture(scope="module")
def runs(
    command: Command, legnaro: Detector, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, bytes]]:
    """Give, by form, a folder that is only read, and the results of an unbroken run."""
    folder = tmp_path_factory.mktemp("runs")
    made = {form: write_run(folder / form, form, legnaro) for form in FORMS}
    return {form: (run, unbroken(command, run)) for form, run in made.items()}


def unbroken(command: Command, run: Path, *options: object) -> bytes:
    """Return the results of a run that nothing disturbs."""
    done = command("process", run, "--run", "r", "--window", "200ms", *options)
    assert done.code == 0, done.err
    return done.out


def resumable(folder: Path, run: Path) -> tuple[object, ...]:
    """Return the arguments of a run with saved state."""
    return (
        "process", run, "--run", "r", "--window", "200ms",
        "--to", folder / "out.jsonl", "--state", folder / "state",
    )  # fmt: skip


def forget_option(folder: Path, name: str) -> None:
    """Leave an option out of a saved state, as versions did that had no such option."""
    store = StateStore(folder / "state")
    try:
        saved = store.load()
        assert saved is not None
        meta, arrays = saved
        options = {option: value for option, value in meta["options"].items() if option != name}
        assert options != meta["options"]
        store.save(meta | {"options": options}, arrays)
    finally:
        store.close()


def is_closed(finished: Finished, words: int) -> bool:
    """Tell whether all words and bytes are in the account."""
    account = finished.account()
    return (
        account["words in"] == words
        and account["bytes in"] == account["decoded"] + account["rejected"]
    )


# --- kill -9 -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_killed_at_random_moments_it_gives_the_results_of_an_unbroken_run(
    command: Command, runs: dict[str, tuple[Path, bytes]], tmp_path: Path, form: str
) -> None:
    run, wanted = runs[form]
    arguments = resumable(tmp_path, run)
    rng, killed = random.Random(form), 0
    for _ in range(12):
        running = command.start(*arguments, settings=SMALL)
        end = time.monotonic() + rng.uniform(0.0, 0.12)
        until(lambda running=running, end=end: time.monotonic() > end or running.done())  # type: ignore[misc]
        running.signal(signal.SIGKILL)
        killed += running.wait().code == -signal.SIGKILL
    last = command(*arguments, settings=SMALL)
    assert last.code == 0, last.err
    assert (tmp_path / "out.jsonl").read_bytes() == wanted
    assert is_closed(last, len(WORDS))
    assert killed >= 3


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "call",
    ["os.fsync", "muonscope.transports.sinks.FileSink.publish",
     "muonscope.transports.sinks.FileSink.sync", "muonscope.transports.state.StateStore.save",
     "pathlib.Path.replace", "muonscope.processing.run.Run.finish"],
)  # fmt: skip
def test_killed_around_every_step_that_lasts_it_gives_the_results_of_an_unbroken_run(
    command: Command, runs: dict[str, tuple[Path, bytes]], tmp_path: Path, form: str, call: str
) -> None:
    run, wanted = runs[form]
    arguments = resumable(tmp_path, run)
    moments = [(1, False), (1, True), (2, False), (4, True)]
    codes = [
        command(*arguments, settings=SMALL, kill_at=(call, n, after)).code for n, after in moments
    ]
    last = command(*arguments, settings=SMALL)
    assert codes[0] == -signal.SIGKILL
    assert set(codes) <= {-signal.SIGKILL, 0}
    assert last.code == 0, last.err
    assert (tmp_path / "out.jsonl").read_bytes() == wanted
    assert is_closed(last, len(WORDS))


def test_killed_while_it_follows_it_gives_the_results_of_an_unbroken_run(
    command: Command, legnaro: Detector, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    arguments = (*resumable(tmp_path, run), "--follow", "--idle-exit", "600ms")
    rng = random.Random(7)
    for part in range(PARTS):
        data = encoded("csv", legnaro, part)
        cut = rng.randrange(len(data))
        path = run / f"data_{part}"
        running = command.start(*arguments, settings=SMALL)
        append(path, data[:cut])
        until(lambda running=running: running.done() or has_read(tmp_path))  # type: ignore[misc]
        running.signal(signal.SIGKILL)
        running.wait()
        append(path, data[cut:])
    last = command(*arguments, settings=SMALL)
    assert last.code == 0, last.err
    assert (tmp_path / "out.jsonl").read_bytes() == unbroken(command, run)
    assert is_closed(last, len(WORDS))


def has_read(folder: Path) -> bool:
    """Tell whether some results are there."""
    path = folder / "out.jsonl"
    return path.exists() and path.stat().st_size > 0


# --- the state -----------------------------------------------------------------------------


def test_a_run_that_came_to_its_end_can_be_run_again(
    command: Command, runs: dict[str, tuple[Path, bytes]], tmp_path: Path
) -> None:
    run, wanted = runs["dat"]
    first = command(*resumable(tmp_path, run))
    results = (tmp_path / "out.jsonl").read_bytes()
    again = command(*resumable(tmp_path, run))
    assert (first.code, again.code) == (0, 0)
    assert (tmp_path / "out.jsonl").read_bytes() == results == wanted
    assert again.account() == first.account()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cut", [0.1, 0.55, 0.99])
def test_a_run_whose_files_grew_since_gives_the_results_of_the_longer_ones(
    command: Command, legnaro: Detector, tmp_path: Path, form: str, cut: float
) -> None:
    run, data = tmp_path / "run", encoded(form, legnaro, 0, parts=1)
    run.mkdir()
    (run / "data_1").write_bytes(data[: int(len(data) * cut) | 3])
    assert command(*resumable(tmp_path, run), settings=SMALL).code == 0
    (run / "data_1").write_bytes(data)
    last = command(*resumable(tmp_path, run), settings=SMALL)
    assert last.code == 0, last.err
    assert (tmp_path / "out.jsonl").read_bytes() == unbroken(command, run)
    assert is_closed(last, len(WORDS))


def test_new_files_since_the_last_time_are_added(
    command: Command, legnaro: Detector, tmp_path: Path
) -> None:
    whole = write_run(tmp_path / "whole", "csv", legnaro)
    run = tmp_path / "run"
    run.mkdir()
    for path in sorted(whole.iterdir(), key=lambda p: int(p.name[5:])):
        (run / path.name).write_bytes(path.read_bytes())
        assert command(*resumable(tmp_path, run)).code == 0
        assert (tmp_path / "out.jsonl").read_bytes() == unbroken(command, run)


def test_state_inside_the_source_folder_is_not_read(
    command: Command, legnaro: Detector, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", "dat", legnaro)
    wanted = unbroken(command, run)
    arguments = (
        "process", run, "--run", "r", "--window", "200ms",
        "--to", run / "out.jsonl", "--state", run / "state",
    )  # fmt: skip
    for _ in range(2):
        done = command(*arguments)
        assert done.code == 0, done.err
        assert (run / "out.jsonl").read_bytes() == wanted


def test_the_current_folder_as_the_source_can_be_continued(
    command: Command, legnaro: Detector, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", "dat", legnaro)
    for _ in range(2):
        done = command("process", ".", "--to", "../o.jsonl", "--state", "../s", cwd=run)
        assert done.code == 0, done.err
    assert {m["run"] for m in windows_of((tmp_path / "o.jsonl").read_bytes())} == {"run"}


def test_an_error_is_the_same_error_when_it_is_run_again(command: Command, tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"<html></html>")
    codes = [command(*resumable(tmp_path, tmp_path / "page")).code for _ in range(3)]
    assert codes == [4, 4, 4]


def test_a_second_process_on_the_same_state_is_refused(
    command: Command, legnaro: Detector, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", "dat", legnaro)
    first = command.start(*resumable(tmp_path, run), "--follow", settings=SMALL)
    until(lambda: first.done() or has_read(tmp_path), "the first results")
    second = command(*resumable(tmp_path, run))
    first.signal(signal.SIGINT)
    assert first.wait().code == 130
    assert second.code == 6
    assert "in use by another muonscope process" in second.err
    assert command(*resumable(tmp_path, run)).code == 0
    assert (tmp_path / "out.jsonl").read_bytes() == unbroken(command, run)


@pytest.mark.parametrize(
    ("changed", "name"),
    [(["--window", "1s"], "window"), (["--lateness", "1s"], "lateness"), (["--run", "q"], "run"),
     (["--idle-timeout", "9s"], "idle timeout"), (["--detector", "run001213"], "detector")],
)  # fmt: skip
def test_changed_options_are_refused_and_nothing_is_lost(
    command: Command, legnaro: Detector, tmp_path: Path, changed: list[str], name: str
) -> None:
    run = write_run(tmp_path / "run", "dat", legnaro)
    arguments = resumable(tmp_path, run)
    assert command(*arguments).code == 0
    results = (tmp_path / "out.jsonl").read_bytes()
    refused = command(*arguments, *changed, "--force")
    assert refused.code == 6
    assert f"with {name} = " in refused.err
    assert "--state" in refused.err
    assert (tmp_path / "out.jsonl").read_bytes() == results
    assert command(*arguments).code == 0


def test_a_state_says_whether_there_was_tracking(
    command: Command, legnaro: Detector, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", "dat", legnaro)
    arguments = resumable(tmp_path, run)
    assert command(*arguments, "--without", "tracking").code == 0
    results = (tmp_path / "out.jsonl").read_bytes()
    refused = command(*arguments)
    assert refused.code == 6
    assert "of a run with tracking = False, this one has True" in refused.err
    assert (tmp_path / "out.jsonl").read_bytes() == results
    assert command(*arguments, "--without", "tracking").code == 0
    assert (tmp_path / "out.jsonl").read_bytes() == results


def test_a_state_of_before_there_was_tracking_goes_on_without_it(
    command: Command, legnaro: Detector, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", "dat", legnaro)
    arguments = [*resumable(tmp_path, run), "--without", "tracking"]
    assert command(*arguments).code == 0
    results = (tmp_path / "out.jsonl").read_bytes()
    forget_option(tmp_path, "tracking")
    assert command(*arguments).code == 0
    assert (tmp_path / "out.jsonl").read_bytes() == results
    forget_option(tmp_path, "tracking")
    assert "tracking = False, this one has True" in command(*arguments[:-2]).err


def test_other_sources_are_refused_and_nothing_is_lost(
    command: Command, legnaro: Detector, tmp_path: Path
) -> None:
    first = write_run(tmp_path / "first", "dat", legnaro)
    second = write_run(tmp_path / "second", "dat", legnaro)
    assert command(*resumable(tmp_path, first)).code == 0
    results = (tmp_path / "out.jsonl").read_bytes()
    refused = command(*resumable(tmp_path, second))
    assert refused.code == 6
    assert "with sources = " in refused.err
    assert (tmp_path / "out.jsonl").read_bytes() == results


def test_results_that_were_tampered_with_are_refused(
    command: Command, legnaro: Detector, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", "dat", legnaro)
    assert command(*resumable(tmp_path, run)).code == 0
    (tmp_path / "out.jsonl").write_bytes(b"other\n")
    refused = command(*resumable(tmp_path, run))
    assert refused.code == 5
    assert "the saved state counts on" in refused.err
    assert (tmp_path / "out.jsonl").read_bytes() == b"other\n"


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04"])
def test_damaged_state_is_a_clear_error(command: Command, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(WORDS.tobytes())
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.npz").write_bytes(content)
    done = command(*resumable(tmp_path, tmp_path / "a"))
    assert done.code == 6
    assert "damaged" in done.err
    assert not (tmp_path / "out.jsonl").exists()


def test_results_that_are_there_before_the_first_state_are_not_overwritten(
    command: Command, legnaro: Detector, tmp_path: Path
) -> None:
    (tmp_path / "out.jsonl").write_bytes(b"precious")
    run = write_run(tmp_path / "run", "dat", legnaro)
    assert command(*resumable(tmp_path, run)).code == 5
    assert (tmp_path / "out.jsonl").read_bytes() == b"precious"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_with_state_it_goes_on_to_the_results_of_an_unbroken_run(
    command: Command, runs: dict[str, tuple[Path, bytes]], tmp_path: Path, number: signal.Signals
) -> None:
    run, wanted = runs["csv"]
    arguments = resumable(tmp_path, run)
    stopped = command.start(*arguments, settings=SMALL)
    until(lambda: stopped.done() or has_read(tmp_path))
    stopped.signal(number)
    first = stopped.wait()
    assert first.code in {128 + number, 0}
    assert "paused" in first.err or first.code == 0
    last = command(*arguments, settings=SMALL)
    assert last.code == 0
    assert (tmp_path / "out.jsonl").read_bytes() == wanted
    assert is_closed(last, len(WORDS))


# --- following -----------------------------------------------------------------------------


def append(path: Path, data: bytes) -> None:
    """Append to a file as the DAQ does."""
    with path.open("ab") as file:
        file.write(data)


class Writer(threading.Thread):
    """A DAQ: writes parts one after the other in arbitrary pieces, and rotates."""

    def __init__(
        self, folder: Path, parts: Sequence[bytes], rotate: Callable[[Path, int], Path]
    ) -> None:
        super().__init__()
        self._folder, self._parts, self._rotate = folder, parts, rotate
        self._rng = random.Random(11)

    def run(self) -> None:
        for number, data in enumerate(self._parts):
            path, at = self._rotate(self._folder, number), 0
            while at < len(data):
                size = self._rng.choice([1, 5, 777, 4096, 30_000])
                append(path, data[at : at + size])
                at += size
                if self._rng.random() < 0.2:
                    time.sleep(0.001)


def new_name(folder: Path, number: int) -> Path:
    """Write each part to a file of its own."""
    return folder / f"data_{number}"


def renamed(folder: Path, number: int) -> Path:
    """Write to one name, and give the file its number when it is done."""
    if number > 0:
        (folder / "zz_current").rename(folder / f"data_{number - 1}")
    return folder / "zz_current"


def follow(command: Command, run: Path, idle_exit: str = "1500ms") -> Running:
    """Start to follow a folder."""
    return command.start(
        "process", run, "--run", "r", "--window", "200ms", "--follow", "--idle-exit", idle_exit
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rotate", [new_name, renamed])
def test_following_a_folder_gives_the_results_of_its_final_files(
    command: Command,
    legnaro: Detector,
    tmp_path: Path,
    form: str,
    rotate: Callable[[Path, int], Path],
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    writer = Writer(run, [encoded(form, legnaro, part) for part in range(PARTS)], rotate)
    running = follow(command, run)
    writer.start()
    writer.join()
    done = running.wait()
    assert done.code == 0, done.err
    assert done.out == unbroken(command, run)
    assert is_closed(done, len(WORDS))


def test_files_that_are_there_together_and_cut_in_mid_word_may_grow_in_any_order(
    command: Command, legnaro: Detector, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    parts = [encoded("dat", legnaro, part, parts=2) for part in range(2)]
    cuts = [8 * 1000 + 3, 8 * 2000 + 5]
    for number, (data, cut) in enumerate(zip(parts, cuts, strict=True)):
        append(run / f"data_{number}", data[:cut])
    running = command.start(
        *resumable(tmp_path, run), "--follow", "--idle-exit", "1500ms", settings=SMALL
    )
    until(lambda: running.done() or has_read(tmp_path), "the first words")
    for number in (1, 0):
        append(run / f"data_{number}", parts[number][cuts[number] :])
    done = running.wait()
    assert done.code == 0, done.err
    assert is_closed(done, len(WORDS))
    assert done.account().get("rejected", 0) == 0


def test_a_last_row_cut_short_is_rejected_when_following_ends(
    command: Command, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "data_1").write_bytes(WORDS.tobytes() + b"12345")
    done = follow(command, run, "300ms").wait()
    assert done.code == 0
    assert is_closed(done, len(WORDS))
    assert done.account()["rejected"] == 5


def test_following_waits_for_the_first_file(command: Command, tmp_path: Path) -> None:
    running = follow(command, tmp_path, "2s")
    append(tmp_path / "data_1", WORDS.tobytes())
    done = running.wait()
    assert done.code == 0
    assert is_closed(done, len(WORDS))


def test_following_ends_by_a_signal_with_the_account(command: Command, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out.jsonl"
    run.mkdir()
    append(run / "data_1", WORDS.tobytes() + b"cut")
    running = command.start("process", run, "--window", "200ms", "--follow", "--to", out)
    until(lambda: running.done() or (out.exists() and out.stat().st_size > 0))
    running.signal(signal.SIGINT)
    done = running.wait()
    assert done.code == 130
    assert is_closed(done, len(WORDS))
    messages = windows_of(out.read_bytes())
    assert sum(m["accounting"]["words_in"] for m in messages) == len(WORDS)


def test_new_data_is_published_while_following(command: Command, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out.jsonl"
    run.mkdir()
    running = command.start("process", run, "--window", "200ms", "--follow", "--to", out)
    sizes: list[int] = []
    half = len(WORDS) // 2 * 8
    for data in (WORDS.tobytes()[:half], WORDS.tobytes()[half:]):
        before = sizes[-1] if sizes else 0
        append(run / "data_1", data)
        until(lambda before=before: out.exists() and out.stat().st_size > before)  # type: ignore[misc]
        sizes.append(out.stat().st_size)
    running.signal(signal.SIGTERM)
    assert running.wait().code == 143
    assert 0 < sizes[0] < sizes[1]


def test_results_in_the_followed_folder_are_not_read(command: Command, tmp_path: Path) -> None:
    append(tmp_path / "data_1", WORDS.tobytes())
    done = command(
        "process", tmp_path, "--follow", "--idle-exit", "300ms", "--window", "200ms",
        "--to", tmp_path / ".." / tmp_path.name,
    )  # fmt: skip
    assert done.code == 0
    assert is_closed(done, len(WORDS))
    assert done.account()["rejected"] == 0
