"""The ``dashboard`` command: whatever it is given it shows, or says why not."""

import gzip
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import zstandard

from helpers.command import Command, hits, until, windows_of
from helpers.patience import patience
from helpers.served import serving
from helpers.shown import Shown, shown
from helpers.simulated import BRIGHT, simulated_words
from helpers.window_messages import ends_of, moved
from muonscope.cli.dashboard import DEMO_FAULT
from muonscope.dashboard.launch import _reference
from muonscope.dashboard.options import DashboardOptions
from muonscope.detector import shipped_detector
from muonscope.events import ignore
from muonscope.quality.reference import ReferenceBuilder
from muonscope.stopping import Stop

WORDS = simulated_words(12_000, profile=BRIGHT)
SOON_S = 3.0

Pack = Callable[[bytes], bytes]
PACKS: list[tuple[str, Pack]] = [("gzip", gzip.compress), ("zstd", zstandard.compress)]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording."""
    path = tmp_path_factory.mktemp("words") / "run.dat"
    WORDS.astype("<u8").tofile(path)
    return path


@pytest.fixture(scope="module")
def lines(command: Command, words: Path) -> list[bytes]:
    """What ``process`` makes of the recording."""
    done = command("process", words, "--run", "run.dat")
    assert done.code == 0, done.err
    assert len(done.messages) >= 3
    return [line + b"\n" for line in done.out.splitlines()]


def assert_shows(dashboard: Shown, lines: list[bytes]) -> None:
    """Check that it comes to show what some results say."""
    messages = [m for m in windows_of(b"".join(lines)) if m["window"] is not None]
    dashboard.until(lambda status: status["windows"] >= len(messages), "all windows")
    told = dashboard.get("api/v1/summary?view=run").json()
    assert told["tables"]["chambers"]["hits"] == hits(messages)
    for name in told["accounting"]:
        assert told["accounting"][name] == sum(m["accounting"][name] for m in messages)
    assert told["windows"] == len(messages)
    last = messages[-1]
    kept = dashboard.get(f"api/v1/windows/{last['epoch']}/{last['window']}")
    assert kept.json() == last


# --- what is shown -------------------------------------------------------------------------


def test_words_of_a_file_are_counted_as_process_counts_them(
    command: Command, words: Path, lines: list[bytes]
) -> None:
    with shown(command, "dashboard", words, "--run", "run.dat") as dashboard:
        assert_shows(dashboard, lines)
        status = dashboard.until(lambda s: s["state"] == "finished", "the end of the file")
        assert "all of its" in status["reason"]
        assert status["words"] == len(WORDS)
        assert status["bytes"]["bytes_in"] == status["bytes"]["bytes_decoded"] == len(WORDS) * 8
        assert (status["source"], status["run"]) == (str(words), "run.dat")
        assert [source["behind"] for source in status["sources"]] == [0]
        assert dashboard.end().code == 0


def test_results_in_a_file_are_shown(command: Command, lines: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"".join(lines) + ends_of("run.dat"))
    with shown(command, "dashboard", path) as dashboard:
        assert_shows(dashboard, lines)
        status = dashboard.until(lambda s: s["state"] == "finished", "the end of the run")
        assert status["reason"] == "run run.dat has ended"
        (source,) = status["sources"]
        assert (source["read"], source["unit"]) == (path.stat().st_size, "bytes")


def test_results_are_known_by_their_content_and_bring_their_detector(
    command: Command, realdata: Path, tmp_path: Path
) -> None:
    made = command(
        "process", realdata / "run000591_data_000000.dat", "--detector", "run000591",
        "--to", tmp_path / "odd.jsonl", "--run", "r",
    )  # fmt: skip
    assert made.code == 0, made.err
    path = (tmp_path / "odd.jsonl").rename(tmp_path / "odd.txt")
    with shown(command, "dashboard", path) as dashboard:
        assert_shows(dashboard, path.read_bytes().splitlines(keepends=True))
        assert dashboard.health()["detector"] == "run000591"


def test_a_file_of_results_is_followed_as_it_grows(
    command: Command, lines: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(lines[0])
    with shown(command, "dashboard", path) as dashboard, path.open("ab", buffering=0) as file:
        assert_shows(dashboard, lines[:1])
        file.write(lines[1][:700])
        time.sleep(0.3)
        assert dashboard.health()["malformed"] == 0
        file.write(lines[1][700:] + lines[2])
        assert_shows(dashboard, lines[:3])


def test_a_file_that_is_not_there_yet_is_waited_for_if_its_name_says_results(
    command: Command, lines: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "results.jsonl"
    with shown(command, "dashboard", path) as dashboard:
        assert dashboard.health()["state"] == "waiting"
        path.write_bytes(lines[0])
        assert_shows(dashboard, lines[:1])


def test_a_file_that_is_cut_back_and_written_anew_is_read_anew(
    command: Command, lines: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"".join(lines))
    with shown(command, "dashboard", path) as dashboard:
        assert_shows(dashboard, lines)
        path.write_bytes(b"")
        time.sleep(0.5)
        again = [moved(lines[n], n, run="another run") for n in range(2)]
        path.write_bytes(b"".join(again))
        dashboard.until(lambda s: s["run"] == "another run", "the other run")
        assert_shows(dashboard, again)
        assert dashboard.health()["malformed"] == 0


def test_broken_lines_are_counted_and_what_follows_is_shown(
    command: Command, lines: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "results.jsonl"
    giant = b'{"schema": "' + b"x" * (17 << 20) + b'"}\n'
    broken = [b"garbage\n", b"\n", b"{}\n", lines[1][:500] + b"\n", giant]
    path.write_bytes(b"".join([lines[0], *broken, *lines[1:]]))
    with shown(command, "dashboard", path) as dashboard:
        assert_shows(dashboard, lines)
        status = dashboard.health()
        assert status["malformed"] == len(broken) - 1  # an empty line is none
        assert len(status["examples"]) == len(broken) - 1


def test_results_whose_first_line_was_cut_are_results(
    command: Command, lines: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"".join([lines[0][500:], *lines[1:]]))
    with shown(command, "dashboard", path) as dashboard:
        assert_shows(dashboard, lines[1:])
        assert dashboard.health()["malformed"] == 1


@pytest.mark.parametrize("as_reference", [False, True])
def test_a_pipe_whose_name_says_results_is_refused(
    command: Command, tmp_path: Path, *, as_reference: bool
) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    sources = ["sim:legnaro", "--reference"] if as_reference else []
    done = command("dashboard", *sources, tmp_path / "pipe.jsonl", "--port", 0)
    assert done.code == 3
    assert "is no plain file" in done.err


def test_a_folder_of_results_is_shown_and_new_files_in_it(
    command: Command, lines: list[bytes], tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines[0])
    with shown(command, "dashboard", tmp_path) as dashboard:
        assert_shows(dashboard, lines[:1])
        (tmp_path / "b.jsonl").write_bytes(lines[1])
        assert_shows(dashboard, lines[:2])


def test_of_several_runs_one_can_be_asked_for(
    command: Command, lines: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "results.jsonl"
    other = [moved(line, n, run="other") for n, line in enumerate(lines[:2])]
    path.write_bytes(b"".join([*lines, *other]))
    with shown(command, "dashboard", path, "--run", "run.dat") as dashboard:
        assert_shows(dashboard, lines)
        assert dashboard.health()["other_runs"] == 2


def test_a_simulation_comes_in_real_time_and_has_no_end(command: Command) -> None:
    with shown(command, "dashboard", "sim:legnaro", "--window", "200ms") as dashboard:
        first = dashboard.until(lambda s: s["windows"] >= 2, "windows")
        begin = time.monotonic()
        last = dashboard.until(lambda s: s["windows"] >= first["windows"] + 8, "more windows")
        assert time.monotonic() - begin > 1.0
        assert last["state"] == "receiving"
        assert last["latency_ms"]["p50"] < 1000
        assert dashboard.get("").status_code == 200


def test_a_recording_can_be_shown_at_its_pace(command: Command, words: Path) -> None:
    begin = time.monotonic()
    with shown(command, "dashboard", words, "--speed", "4") as dashboard:
        status = dashboard.until(lambda s: s["windows"] >= 3, "three windows")
        assert time.monotonic() - begin > 0.7
        assert status["state"] == "receiving"


def test_results_can_be_shown_at_their_pace(
    command: Command, lines: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"".join(moved(lines[n % 3], n) for n in range(30)))
    with shown(command, "dashboard", path, "--speed", "5") as dashboard:
        dashboard.until(lambda s: s["windows"] >= 2, "the first windows")
        begin = time.monotonic()
        assert dashboard.health()["windows"] < 10
        dashboard.until(lambda s: s["windows"] >= 10, "ten windows")
        assert time.monotonic() - begin > 0.8
        assert dashboard.health()["lag_s"] < 1.0


@pytest.mark.parametrize("kind", ["words", "results"])
def test_a_reference_is_words_or_results(
    command: Command, words: Path, lines: list[bytes], tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "reference.jsonl"
    path.write_bytes(b"".join(lines))
    reference = words if kind == "words" else path
    with shown(command, "dashboard", "sim:legnaro", "--reference", reference) as dashboard:
        told = dashboard.get("api/v1/reference").json()
        assert told["tables"]["chambers"]["hits"] == hits(windows_of(b"".join(lines)))
        assert dashboard.health()["reference"] is True


def test_a_reference_that_is_too_short_to_judge_by_is_told(command: Command) -> None:
    short = "sim:quiet?seconds=12"
    with shown(command, "dashboard", "sim:quiet", "--reference", short) as dashboard:
        said = "whole windows, and verdicts need 30: it is drawn, but nothing is judged by it"
        assert said in dashboard.running.err()
        assert any(said in note for note in dashboard.health()["notes"])
        assert dashboard.get("api/v1/problems").json()["reference"] is None


def test_a_simulation_as_the_reference_has_an_end(command: Command) -> None:
    reference = ("--reference", "sim:legnaro?rate-scale=0.1")
    with shown(command, "dashboard", "sim:legnaro", *reference) as dashboard:
        told = dashboard.get("api/v1/reference").json()
        assert 55 < told["run_s"] < 65


def test_the_configuration_is_shown_without_secrets(command: Command, tmp_path: Path) -> None:
    token, settings = tmp_path / "token", tmp_path / "kafka.conf"
    token.write_text("a token of some length\n", "utf-8")
    settings.write_text("sasl.password = very secret\n", "utf-8")
    bearer = {"headers": {"authorization": "Bearer a token of some length"}}
    args = ("sim:legnaro", "--token-file", token, "--kafka-config", settings)
    with shown(command, "dashboard", *args) as dashboard:
        answer = dashboard.get("api/v1/health", **bearer)
        config = answer.json()["config"]
        assert (config["sources"], config["token"], config["window"]) == (
            ["sim:legnaro"],
            "***",
            "1s",
        )
        assert "very secret" not in answer.text
        assert "some length" not in answer.text


# --- who may look --------------------------------------------------------------------------


def test_a_name_that_is_no_text_is_shown_all_the_same(command: Command, tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"r\xe9sultats.jsonl")
    file.touch()
    with shown(command, "dashboard", file) as dashboard:
        assert "r\ufffdsultats.jsonl" in dashboard.health()["reason"]


def test_another_address_of_this_machine_is_answered_under(command: Command) -> None:
    with shown(command, "dashboard", "sim:legnaro", "--host", "127.0.0.2") as dashboard:
        assert "//127.0.0.2:" in str(dashboard.url)
        assert dashboard.health()["state"] in {"waiting", "receiving"}


def test_with_a_token_it_is_asked_for_and_other_hosts_may_look(
    command: Command, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("\n a token of some length \n", "utf-8")
    args = ("sim:legnaro", "--host", "0.0.0.0", "--token-file", token)
    with shown(command, "dashboard", *args) as dashboard:
        port = httpx.URL(dashboard.url).port
        url = f"http://127.0.0.1:{port}/api/v1/health"
        assert httpx.get(url).status_code == 401
        headers = {"authorization": "Bearer a token of some length", "host": "daq.lab"}
        assert httpx.get(url, headers=headers).status_code == 200


def test_it_can_be_opened_to_everybody(command: Command) -> None:
    args = ("sim:legnaro", "--host", "0.0.0.0", "--insecure-open")
    with shown(command, "dashboard", *args) as dashboard:
        url = f"http://127.0.0.1:{httpx.URL(dashboard.url).port}/api/v1/health"
        assert httpx.get(url, headers={"host": "daq.lab"}).status_code == 200


def test_it_answers_below_a_prefix_and_to_a_name_that_is_allowed(command: Command) -> None:
    args = ("sim:legnaro", "--prefix", "muonscope/", "--allow-host", "DAQ.lab")
    with shown(command, "dashboard", *args) as dashboard:
        assert dashboard.url.endswith("/muonscope/")
        assert dashboard.get("", headers={"host": "daq.lab"}).status_code == 200
        assert dashboard.get("", headers={"host": "evil.example"}).status_code == 421


REFUSED: list[tuple[list[str], int, str]] = [
    (["nothing.dat"], 3, "nothing.dat: no such file or folder"),
    (["*.nothing"], 3, "no file matches"),
    (["sim:nothing"], 2, "nothing"),
    (["sim:legnaro", "--detector", "nothing"], 2, "nothing"),
    (["sim:legnaro", "--host", "0.0.0.0"], 2, "expected --token-file FILE, or --insecure-open"),
    (["sim:legnaro", "--host", "::"], 2, "expected --token-file FILE, or --insecure-open"),
    (["sim:legnaro", "--host", "192.0.2.1", "--insecure-open"], 5, "cannot be listened on"),
    (["sim:legnaro", "--token-file", "nothing"], 2, "--token-file nothing: cannot be read"),
    (["sim:legnaro", "--token-file", "short"], 2, "found 15 letters, expected 16 or more"),
    (["sim:legnaro", "--token-file", "binary"], 2, "--token-file binary: cannot be read"),
    (["sim:legnaro", "--token-file", "/dev/zero"], 2, "expected at most 4,096 letters"),
    (["sim:legnaro", "--token-file", "accents"], 2, "all of them ASCII"),
    (["sim:legnaro", "--token-file", "short", "--insecure-open"], 2, "found both, expected one"),
    (["sim:legnaro", "--allow-host", "daq", "--insecure-open"], 2, "--allow-host: any name"),
    (["sim:legnaro", "--prefix", "/a b"], 2, "--prefix: found '/a b', expected a path"),
    (["sim:legnaro", "--prefix", "/é"], 2, "--prefix: found '/é'"),
    (["sim:legnaro", "--prefix", "/<script>"], 2, "--prefix: found"),
    (["sim:legnaro", "--prefix", "/a/../b"], 2, "--prefix: found"),
    (["sim:legnaro", "--speed", "0"], 2, "--speed: found 0, expected more than 0, at most 1e+06"),
    (["sim:legnaro", "--speed", "1e7"], 2, "--speed: found 1e+07"),
    (["sim:legnaro", "--speed", "nan"], 2, "--speed: found nan"),
    (["sim:legnaro", "--speed=-1"], 2, "--speed: found -1"),
    (["sim:legnaro", "--window", "0s"], 2, "--window"),
    (["sim:legnaro", "--history", "long"], 2, "--history"),
    (["sim:legnaro", "--port", "70000"], 2, "70000"),
    (["sim:legnaro", "--reference", "nothing.jsonl"], 4, "--reference nothing.jsonl: no window"),
    (["sim:legnaro", "--reference", "nothing.dat"], 3, "nothing.dat"),
    (
        ["sim:legnaro", "--reference", "short"],
        4,
        "--reference short: nothing could be decoded; first: short: byte 0: unknown format",
    ),
]


@pytest.mark.parametrize(("args", "code", "what"), REFUSED, ids=[" ".join(r[0]) for r in REFUSED])
def test_what_makes_no_sense_is_refused_in_one_line(
    command: Command, tmp_path: Path, args: list[str], code: int, what: str
) -> None:
    (tmp_path / "short").write_text("x" * 15, "utf-8")
    (tmp_path / "binary").write_bytes(b"\xff" * 100)
    (tmp_path / "accents").write_text("é" * 20, "utf-8")
    more = [] if "--port" in args else ["--port", "0"]
    done = command("dashboard", *args, *more, cwd=tmp_path)
    assert (done.code, done.out) == (code, b""), done.err
    assert what in done.err
    assert "Traceback" not in done.err


def test_words_and_results_together_are_refused(
    command: Command, words: Path, lines: list[bytes], tmp_path: Path
) -> None:
    (tmp_path / "run.dat").write_bytes(words.read_bytes())
    (tmp_path / "results.jsonl").write_bytes(lines[0])
    done = command("dashboard", tmp_path, "--port", 0)
    assert done.code == 2
    assert "found words and results, expected one" in done.err


@pytest.mark.parametrize(("name", "pack"), PACKS)
def test_compressed_results_are_refused_with_what_to_do(
    command: Command, lines: list[bytes], tmp_path: Path, name: str, pack: Pack
) -> None:
    path = tmp_path / f"results.jsonl.{name}"
    path.write_bytes(pack(b"".join(lines)))
    done = command("dashboard", path, "--port", 0)
    assert done.code == 3
    assert f"{path}: found results in {name}" in done.err
    assert "unpack it" in done.err


@pytest.mark.parametrize(("name", "pack"), PACKS)
def test_compressed_words_are_words(
    command: Command, words: Path, lines: list[bytes], tmp_path: Path, name: str, pack: Pack
) -> None:
    path = tmp_path / f"run.dat.{name}"
    path.write_bytes(pack(words.read_bytes()))
    with shown(command, "dashboard", path, "--run", "run.dat") as dashboard:
        assert_shows(dashboard, lines)


# --- its end -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("source", ["sim", "words", "results", "nothing yet"])
def test_it_ends_soon_when_it_is_told_to(
    command: Command, words: Path, lines: list[bytes], tmp_path: Path, source: str, number: int
) -> None:
    (tmp_path / "results.jsonl").write_bytes(b"".join(lines))
    given = {
        "sim": "sim:legnaro", "words": words, "results": tmp_path / "results.jsonl",
        "nothing yet": tmp_path / "later.jsonl",
    }[source]  # fmt: skip
    with shown(command, "dashboard", given) as dashboard:
        assert dashboard.health()["detector"] == "legnaro"
        begin = time.monotonic()
        done = dashboard.end(number)
        assert time.monotonic() - begin < patience(SOON_S)
        assert done.code == 0
        assert len(done.err.splitlines()) <= 2, done.err


def test_it_ends_soon_with_viewers_and_idle_connections(command: Command) -> None:
    with shown(command, "dashboard", "sim:legnaro") as dashboard, ExitStack() as stack:
        url = httpx.URL(dashboard.url)
        for n in range(20):
            peer = stack.enter_context(socket.create_connection((url.host, url.port)))
            if n % 2:
                peer.sendall(b"GET /stream HTTP/1.1\r\nhost: localhost\r\n\r\n")
        dashboard.until(lambda s: s["viewers"] == 10, "the viewers")
        begin = time.monotonic()
        done = dashboard.end()
        assert time.monotonic() - begin < patience(SOON_S)
        assert done.code == 0
        assert "Traceback" not in done.err
        assert "rror" not in done.err


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.1, 0.2, 0.4])
def test_it_ends_when_it_is_told_to_while_it_starts(command: Command, after_s: float) -> None:
    running = command.start("dashboard", "sim:legnaro", "--port", 0)
    time.sleep(after_s)
    begin = time.monotonic()
    running.signal(signal.SIGTERM)
    done = running.wait()
    assert time.monotonic() - begin < patience(SOON_S)
    assert done.code in {0, -signal.SIGTERM}, done.err
    assert "Traceback" not in done.err


def test_a_reference_is_not_read_to_its_end_where_it_is_told_to_stop(
    lines: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "reference.jsonl"
    path.write_bytes(b"".join(lines))
    stop = Stop()
    stop.set(signal.SIGINT)
    options = DashboardOptions(sources=("sim:legnaro",), reference=str(path))
    builder = ReferenceBuilder(shipped_detector("legnaro"))
    assert _reference(options, builder, stop, ignore) is None


# --- demo ----------------------------------------------------------------------------------


@pytest.mark.parametrize("calm", [[], ["--calm"]])
def test_the_demo_shows_a_telescope_and_tells_what_to_look_at(
    command: Command, calm: list[str]
) -> None:
    begin = time.monotonic()
    with shown(command, "demo", *calm) as dashboard:
        dashboard.until(lambda s: s["windows"] >= 1, "a window")
        assert time.monotonic() - begin < patience(10.0)
        text = dashboard.running.err()
        assert all(page in text for page in ("Overview", "Problems", "Chambers", "System"))
        source = "sim:legnaro" if calm else f"sim:legnaro?fault={DEMO_FAULT}"
        assert dashboard.health()["source"] == source
        assert ("loses\nits high voltage" in text) is not bool(calm)
        assert dashboard.end().code == 0


def test_windows_are_the_same_before_and_after_the_kernels_are_compiled(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(cache))
    with serving(["demo", "--calm", "--port", 0]) as dashboard:
        until(lambda: "plain Python does their work" in dashboard.told.read_text("utf-8"))
        names = ("advance", "take_closed", "count_panes", "cross_cells", "write_hits")
        until(
            lambda: all(any(cache.rglob(f"*.{name}-*.nbi")) for name in names),
            "kernels",
            within_s=240.0,  # compiling all of them takes most of a minute where nothing else runs
        )
        number = dashboard.health()["windows"] + 3  # by then they are in use
        assert number > 3
        dashboard.wait_for_windows(number)
        done = command("process", f"sim:legnaro?seconds={number}", "--run", "sim-legnaro")
        expected = [m for m in windows_of(done.out) if m["window"] is not None][: number - 1]
        shown = [dashboard.get(f"api/v1/windows/{m['epoch']}/{m['window']}") for m in expected]
        assert shown == expected
