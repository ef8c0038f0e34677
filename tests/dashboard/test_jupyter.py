"""Jupyter starts the dashboard with a command that muonscope takes."""

import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from muonscope.cli.main import app
from muonscope.dashboard.jupyter import VARIABLE, server

ROOT = Path(__file__).parents[2]


def started(port: int) -> dict[str, object]:
    """Return what the command line makes of the command, its template filled in as Jupyter does."""
    command = [word.format(port=port, base_url="/user/a/") for word in server()["command"]]
    assert command[:3] == [sys.executable, "-m", "muonscope"]
    name, *arguments = command[3:]
    context = app.commands[name].make_context(name, arguments)
    return dict(context.params)


def test_unless_told_otherwise_a_simulated_telescope_is_shown_on_the_port_that_jupyter_picks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    options = started(4711)
    assert options["sources"] == ("sim:legnaro",)
    assert (options["host"], options["port"], options["prefix"]) == ("127.0.0.1", 4711, "")


def test_sources_and_options_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "'my run/{1}.dat' other.dat --speed 1")
    options = started(1)
    assert options["sources"] == ("my run/{1}.dat", "other.dat")
    assert options["speed"] == 1.0


def test_requests_come_under_a_name_that_the_dashboard_answers_to() -> None:
    assert server()["request_headers_override"]["Host"].format(port=80) == "127.0.0.1:80"


def test_the_entry_point_names_the_function() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    module, _, function = project["entry-points"]["jupyter_serverproxy_servers"][
        "muonscope"
    ].partition(":")
    assert getattr(import_module(module), function) is server
