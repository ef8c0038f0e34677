"""Processing from Python: the same as the command, with the same options and defaults."""

import threading
from dataclasses import fields
from pathlib import Path

import orjson
import pytest

import muonscope
from helpers.command import Command
from helpers.simulated import simulated_words
from muonscope.errors import FormatError, OptionError, SourceNotFoundError
from muonscope.events import Event, EventKind
from muonscope.processing.options import ProcessOptions
from muonscope.processing.reporter import Account, LogReporter, Progress

WORDS = simulated_words(9000)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A file of words."""
    path = tmp_path / "run7.dat"
    path.write_bytes(WORDS.tobytes())
    return path


class Noting:
    """A reporter that notes what it is given; it may ask for a stop after a batch."""

    def __init__(self, stop: muonscope.Stop | None = None) -> None:
        self.events, self.words, self.accounts = list[Event](), list[int](), list[Account]()
        self._stop = stop

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def progress(self, progress: Progress) -> None:
        self.words.append(progress.words)
        if self._stop is not None:
            self._stop.set()

    def account(self, account: Account) -> None:
        self.accounts.append(account)


def test_python_gives_the_bytes_of_the_command(
    command: Command, recording: Path, tmp_path: Path
) -> None:
    asked, called = tmp_path / "asked.jsonl", tmp_path / "called.jsonl"
    assert command("process", recording, "--to", asked, "--window", "200ms").code == 0
    account = muonscope.process(recording, to=called, window=0.2)
    assert called.read_bytes() == asked.read_bytes()
    assert account.windows == len(asked.read_bytes().splitlines())
    assert account.total.accounting.words_in == len(WORDS)
    assert account.run == "run7"


def test_a_reporter_is_told_of_batches_and_of_the_account(recording: Path, tmp_path: Path) -> None:
    noting = Noting()
    account = muonscope.process(recording, to=str(tmp_path / "w.jsonl"), reporter=noting)
    assert noting.words == sorted(noting.words)
    assert noting.words[-1] == len(WORDS)
    assert noting.accounts == [account]
    first = [event for event in noting.events if event.kind is EventKind.EPOCH]
    assert first


def test_a_stop_from_elsewhere_pauses_a_run_that_goes_on_where_it_stood(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muonscope.transports.files.CHUNK_BYTES", 800)
    whole = tmp_path / "whole.jsonl"
    muonscope.process(recording, to=str(whole))
    parts, state = str(tmp_path / "parts.jsonl"), str(tmp_path / "state")
    stop = muonscope.Stop()
    paused = muonscope.process(recording, to=parts, state=state, reporter=Noting(stop), stop=stop)
    assert paused.paused_words is not None
    assert paused.windows < len(whole.read_bytes().splitlines())
    again = muonscope.process(recording, to=parts, state=state)
    assert again.paused_words is None
    assert Path(parts).read_bytes() == whole.read_bytes()


def test_it_can_be_called_in_any_thread(recording: Path, tmp_path: Path) -> None:
    found: list[Account] = []
    thread = threading.Thread(
        target=lambda: found.append(muonscope.process(recording, to=str(tmp_path / "w.jsonl")))
    )
    thread.start()
    thread.join()
    assert found[0].total.accounting.words_in == len(WORDS)


def test_errors_are_those_of_the_command(recording: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="windows: no such option; there are sources, detector"):
        muonscope.process(recording, windows="1s")
    with pytest.raises(OptionError, match="--engine: found 'flink'"):
        muonscope.process(recording, engine="flink")
    with pytest.raises(SourceNotFoundError, match="nothing_here"):
        muonscope.process(tmp_path / "nothing_here.dat", to=str(tmp_path / "w.jsonl"))
    page = tmp_path / "page.html"
    page.write_text("<html>" * 100)
    with pytest.raises(FormatError, match="nothing could be decoded"):
        muonscope.process(page, to=str(tmp_path / "p.jsonl"))


def test_a_stream_that_cannot_be_read_is_raised_after_the_others_were_counted(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "secret.dat"
    other.write_bytes(WORDS.tobytes())
    opened = Path.open

    def refused(path: Path, *args: object, **more: object) -> object:
        if path.name == "secret.dat":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refused)
    results = tmp_path / "w.jsonl"
    with pytest.raises(muonscope.MuonscopeError, match=r"secret\.dat: permission denied"):
        muonscope.process([recording, other], to=str(results))
    words = [orjson.loads(m)["accounting"]["words_in"] for m in results.read_bytes().splitlines()]
    assert sum(words) == len(WORDS)


def test_every_option_of_the_command_is_one_of_python(command: Command) -> None:
    text = command("process", "--help").out.decode()
    names = {item.name.replace("_", "-") for item in fields(ProcessOptions)} - {"sources"}
    assert all(f"--{name} " in text for name in names)
    flags = {word.strip(",") for word in text.split() if word.startswith("--")}
    assert {flag.removeprefix("--") for flag in flags} == names | {"debug", "help"}


def test_the_log_has_what_nobody_else_is_told(
    recording: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "muonscope"):
        muonscope.process(recording, to=str(tmp_path / "w.jsonl"))
        LogReporter().tell(Event(kind=EventKind.DUPLICATES, numbers={"messages": 2}))
    assert "run run7: <Summary legnaro" in caplog.text
    assert "2 messages came more than once" in caplog.text
