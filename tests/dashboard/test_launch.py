"""A dashboard from Python: started and stopped as a notebook would, any number of times."""

import json
import socket
import urllib.request
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import muonscope
from helpers.command import Command, until
from helpers.simulated import simulated_words
from muonscope.dashboard.options import DashboardOptions
from muonscope.errors import OptionError, SinkError
from muonscope.events import Event, EventKind


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A file of words."""
    path = tmp_path / "run7.dat"
    path.write_bytes(simulated_words(9000).tobytes())
    return path


def health(dashboard: muonscope.Dashboard) -> dict[str, Any]:
    """Return the status of a dashboard."""
    with urllib.request.urlopen(f"{dashboard.url}api/v1/health") as answer:
        status: dict[str, Any] = json.load(answer)
        return status


def test_it_shows_all_windows_of_a_file_and_frees_its_port(recording: Path) -> None:
    told: list[Event] = []
    with muonscope.serve(recording, port=0, tell=told.append) as dashboard:
        assert dashboard.url.startswith("http://127.0.0.1:")
        assert dashboard.url in dashboard._repr_html_()
        until(lambda: health(dashboard)["state"] == "finished", "the end of the file")
        status = health(dashboard)
        assert status["accounting"]["words_in"] == 9000
        port = int(dashboard.url.rstrip("/").rsplit(":", 1)[1])
    kinds = [event.kind for event in told if event.kind is not EventKind.COMPILING]
    assert kinds == [EventKind.SERVING, EventKind.FEED_ENDED]
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


def test_it_is_stopped_while_its_feed_goes_on_and_stopping_twice_is_no_error() -> None:
    dashboard = muonscope.serve("sim:legnaro", port=0)
    until(lambda: health(dashboard)["windows"] >= 1, "a window")
    dashboard.stop()
    dashboard.stop()
    with pytest.raises(OSError, match="refused"):
        health(dashboard)


def test_two_run_side_by_side(recording: Path) -> None:
    with (
        muonscope.serve(recording, port=0) as one,
        muonscope.serve(recording, port=0, run="other") as two,
    ):
        assert one.url != two.url
        until(lambda: health(two)["state"] == "finished", "the end of the file")
        until(lambda: health(one)["state"] == "finished", "the end of the file")
        assert (health(one)["run"], health(two)["run"]) == ("run7", "other")


def test_errors_come_before_anything_is_served(recording: Path) -> None:
    with pytest.raises(OptionError, match="ports: no such option"):
        muonscope.serve(recording, ports=1)
    with pytest.raises(OptionError, match="others can reach it"):
        muonscope.serve(recording, host="0.0.0.0", port=0)
    with muonscope.serve(recording, port=0) as dashboard:
        port = int(dashboard.url.rstrip("/").rsplit(":", 1)[1])
        with pytest.raises(SinkError, match="cannot be listened on"):
            muonscope.serve(recording, port=port)


def test_every_option_of_the_command_is_one_of_python(command: Command) -> None:
    text = command("dashboard", "--help").out.decode()
    names = {item.name.replace("_", "-") for item in fields(DashboardOptions)} - {"sources"}
    flags = {word.strip(",") for word in text.split() if word.startswith("--")}
    assert {flag.removeprefix("--") for flag in flags} == names | {"debug", "help"}
