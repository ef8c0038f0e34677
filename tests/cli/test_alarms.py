"""The ``alarms`` commands, and a dashboard whose alarms and acknowledgements outlive it."""

import os
import signal
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from helpers.command import Command
from helpers.patience import patience, until
from helpers.receiving import HttpReceiver, answering, http_receiver
from helpers.served import serving

DARK = "sim:quiet?fault=hv-off:ch1@0s-"
OURS = {"X-Muonscope": "1", "Content-Type": "application/json"}


@pytest.fixture
def server() -> Iterator[HttpReceiver]:
    with http_receiver() as found:
        yield found


def program(folder: Path) -> tuple[Path, Path]:
    """Return a program that appends what it gets to a file, and the file."""
    path, out = folder / "call", folder / "calls.jsonl"
    body = f"import sys; open({str(out)!r}, 'a').write(sys.stdin.read() + chr(10))"
    path.write_text(f"#!{sys.executable}\n{body}\n", "utf-8")
    path.chmod(0o755)
    return path, out


def written(folder: Path, text: str) -> Path:
    path = folder / "alarms.toml"
    path.write_text(text, "utf-8")
    return path


def calls(out: Path) -> list[dict[str, Any]]:
    if not out.exists():
        return []
    return [orjson.loads(line) for line in out.read_text("utf-8").split("\n") if line.strip()]


def test_a_test_says_what_came_of_each_route(
    command: Command, tmp_path: Path, server: HttpReceiver
) -> None:
    path, out = program(tmp_path)
    routes = (
        f'[[route]]\nmatch = {{check = "cell*"}}\nto = ["exec:{path}"]\n'
        f'[[route]]\nto = ["alertmanager:{server.url.replace("//", "//me:hunter2@")}"]\n'
    )
    file = written(tmp_path, routes)
    done = command("alarms", "test", file)
    assert (done.code, done.err) == (0, "")
    first, second = done.out.decode().splitlines()
    assert first == f"route 1 (check=cell*) exec:{path}: sent"
    assert second == f"route 2 (all) alertmanager:{server.url.replace('//', '//***@')}: sent"
    assert [call["kind"] for call in calls(out)] == ["test"]
    server.answer = answering(500)
    path.unlink()
    done = command("alarms", "test", file)
    assert done.code == 5
    assert "no such program" in done.out.decode()
    assert "failed: answers 500 Internal Server Error" in done.out.decode()
    assert b"hunter2" not in done.out
    assert not (tmp_path / "alarms.sqlite").exists()


def test_where_nothing_has_run_there_are_no_alarms(command: Command, tmp_path: Path) -> None:
    file = written(tmp_path, '[[route]]\nto = ["exec:/bin/true"]\n')
    assert command("alarms", "list", file).out == b"no alarms\n"
    done = command("alarms", "list", file, "--json")
    assert orjson.loads(done.out) == {"alarms": [], "silences": []}
    done = command("alarms", "ack", file, "cell_dead", "ch0:1")
    assert done.code == 2
    assert "found no alarm cell_dead of ch0:1" in done.err
    assert not (tmp_path / "alarms.sqlite").exists()


def test_a_silence_is_listed_with_its_end_and_its_reason(command: Command, tmp_path: Path) -> None:
    file = written(tmp_path, '[[route]]\nto = ["exec:/bin/true"]\n')
    done = command("alarms", "silence", file, "--match", "check=cell*", "--why", "Zählrohr")
    assert done.code == 2
    assert "--until: found none" in done.err
    args = ("--match", "check=cell*", "--match", "target=ch0*", "--until", "2h")
    assert command("alarms", "silence", file, *args, "--why", "[b]Zählrohr\x1b[0m").code == 0
    shown = command("alarms", "list", file).out.decode()
    assert "silence: check=cell* target=ch0* until 2" in shown
    assert "[b]Zählrohr?[0m" in shown
    (silence,) = orjson.loads(command("alarms", "list", file, "--json").out)["silences"]
    assert (silence["match"], silence["why"]) == ("check=cell* target=ch0*", "[b]Zählrohr\x1b[0m")


def test_a_file_that_makes_no_sense_is_one_clear_line(command: Command, tmp_path: Path) -> None:
    file = written(tmp_path, "[[route]]\nto = 5\n")
    for name in ("test", "list"):
        done = command("alarms", name, file)
        assert done.code == 2
        assert done.err.startswith(f"muonscope: error: {file}: ")
        assert len(done.err.splitlines()) == 1
    done = command("dashboard", "sim:quiet", "--port", "0", "--alarms", file)
    assert done.code == 2


def test_a_dashboard_sends_alarms_and_keeps_acknowledgements_when_it_is_killed(
    command: Command, tmp_path: Path
) -> None:
    path, out = program(tmp_path)
    file = written(
        tmp_path, f'no_data = "30s"\n[[route]]\nseverity = "page"\nto = ["exec:{path}"]\n'
    )

    def alarms() -> list[dict[str, Any]]:
        found = orjson.loads(command("alarms", "list", file, "--json").out)["alarms"]
        return [alarm for alarm in found if alarm["check"] == "chamber_rate"]

    with serving(["dashboard", DARK, "--port", "0", "--alarms", file]) as served:
        until(lambda: bool(calls(out)), "the alarm")
        (call,) = calls(out)
        assert call["title"].startswith("[page] BAD chamber_rate ch1 (")
        assert call["link"].startswith("http://127.0.0.1:")
        (alarm,) = alarms()
        assert (alarm["phase"], alarm["severity"], alarm["acknowledged"]) == (
            "firing",
            "page",
            None,
        )
        done = command("alarms", "ack", file, "chamber_rate", "ch1", "--who", "Zoë", "--note", "HV")
        assert done.code == 0
        assert seen(served.url) == ("Zoë", "HV")
        assert 'muonscope_alarms_firing{severity="page"} 1.0' in asked(f"{served.url}metrics")
        assert "muonscope_alarms_failed_total 0.0" in asked(f"{served.url}metrics")
        os.killpg(served.process.pid, signal.SIGKILL)
        served.process.wait(patience(60.0))
    (alarm,) = alarms()
    assert alarm["acknowledged"]["who"] == "Zoë"
    with serving(["dashboard", DARK, "--port", "0", "--alarms", file]) as served:
        assert seen(served.url) == ("Zoë", "HV")
        body = orjson.dumps({"check": "chamber_rate", "target": "ch1", "name": "Max"})
        request = urllib.request.Request(f"{served.url}api/v1/acknowledgements", body, OURS)
        assert urllib.request.urlopen(request, timeout=patience(30.0)).status == 204
        until(lambda: alarms()[0]["acknowledged"]["who"] == "Max", "the other name")
    assert len(calls(out)) == 1


def asked(url: str) -> str:
    with urllib.request.urlopen(url, timeout=patience(30.0)) as answer:
        text: str = answer.read().decode()
        return text


def seen(url: str) -> tuple[str, str]:
    """Return who has seen the first problem, once somebody has."""
    found: list[dict[str, Any]] = []

    def known() -> bool:
        problems = orjson.loads(asked(f"{url}api/v1/problems"))["problems"]
        found[:] = [p["acknowledged"] for p in problems if p["acknowledged"]]
        return bool(found)

    until(known, "an acknowledgement")
    return found[0]["name"], found[0]["note"]
