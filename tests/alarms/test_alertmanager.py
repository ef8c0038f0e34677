"""A real Alertmanager: what it holds follows from what is sent."""

import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from helpers.alarming import change, config, verdict
from helpers.patience import patience, until
from helpers.receiving import free_port
from muonscope.alarms.actions import attempts
from muonscope.alarms.engine import Alarms, Judged
from muonscope.quality.verdict import Change, State

Alert = dict[str, Any]


class Alertmanager:
    """One that runs on a free port, with a store of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def alerts(self) -> dict[str, Alert]:
        """Return the alerts that fire, by name."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=patience(10)) as answer:
            return {alert["labels"]["alertname"]: alert for alert in orjson.loads(answer.read())}

    def answers(self) -> bool:
        try:
            return self.alerts() == {}
        except OSError:
            return False


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        missing = "no Alertmanager here: apt-get install prometheus-alertmanager"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    (tmp_path / "am.yml").write_text("route: {receiver: x}\nreceivers: [{name: x}]\n", "utf-8")
    port = free_port()
    command = [
        program, f"--config.file={tmp_path / 'am.yml'}", f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    ]  # fmt: skip
    with (tmp_path / "am.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        found = Alertmanager(f"http://127.0.0.1:{port}")
        try:
            until(lambda: found.answers() or process.poll() is not None, "Alertmanager")
            assert process.poll() is None, (tmp_path / "am.log").read_text("utf-8")
            yield found
        finally:
            process.terminate()
            process.wait(patience(30.0))


def test_alarms_fire_and_end_in_alertmanager(alertmanager: Alertmanager, tmp_path: Path) -> None:
    import time

    text = (
        '[[route]]\nmatch = {state = "bad"}\nseverity = "page"\nto = ["alertmanager:URL"]\n'
        '[[route]]\nseverity = "ticket"\nto = ["alertmanager:URL"]\n'
    )
    now, verdicts = time.time() - 10, {}
    events: list[object] = []
    alarms = Alarms(
        config(text.replace("URL", alertmanager.url), tmp_path), "légnaro", events.append,
        link="http://here/", clock=lambda: now,
    )  # fmt: skip

    def window(*changes: Change) -> None:
        nonlocal now
        now += 1
        for one in changes:
            verdicts[one.verdict.check, one.verdict.target] = one.verdict
        alarms.judged(Judged(run="läuft", changes=changes, verdicts=verdicts, at=now, length_s=1.0))
        alarms.step(now)
        until(lambda: not any(outlet.busy for outlet in alarms.outlets))

    try:
        window()
        window()
        window(change(state=State.WARN, value=3.5, expected=7.0, unit="Hz"))
        found = alertmanager.alerts()
        assert set(found) == {"MuonscopeWatchdog", "MuonscopeChamberRate"}
        alert = found["MuonscopeChamberRate"]
        assert alert["labels"] == {
            "alertname": "MuonscopeChamberRate", "severity": "ticket", "detector": "légnaro",
            "run": "läuft", "check": "chamber_rate", "target": "ch1",
        }  # fmt: skip
        assert alert["status"]["state"] == "active"
        assert alert["generatorURL"] == "http://here/"
        assert alert["annotations"]["limit"] == "7 Hz"
        window(change())  # worse: another severity is another alert, and the first one ends
        (bad,) = [a for n, a in alertmanager.alerts().items() if n == "MuonscopeChamberRate"]
        assert bad["labels"]["severity"] == "page"
        window(change(state=State.GOOD))
        until(lambda: set(alertmanager.alerts()) == {"MuonscopeWatchdog"}, "the end")
        assert events == []
    finally:
        alarms.close()


def test_a_thousand_alarms_arrive_all(alertmanager: Alertmanager, tmp_path: Path) -> None:
    import time

    route = f'[[route]]\nto = ["alertmanager:{alertmanager.url}"]\n'
    alarms = Alarms(config(route, tmp_path), "legnaro", print, clock=time.time)
    try:
        bad = [verdict("cell_dead", f"ch0:{n}") for n in range(1_200)]
        alarms.rest("r", {(v.check, v.target): v for v in bad}, failed=False)
        alarms.step(time.time())
        until(lambda: not any(outlet.busy for outlet in alarms.outlets))
        with urllib.request.urlopen(f"{alertmanager.url}/api/v2/alerts") as answer:
            assert len(orjson.loads(answer.read())) == 1_200
    finally:
        alarms.close()


def test_the_test_of_a_route_reaches_alertmanager(
    alertmanager: Alertmanager, tmp_path: Path
) -> None:
    import time

    route = f'[[route]]\nseverity = "page"\nto = ["alertmanager:{alertmanager.url}"]\n'
    found = config(route, tmp_path)
    (good,) = attempts(found, time.time())
    assert good.failure == ""
    assert alertmanager.alerts()["MuonscopeTest"]["labels"]["severity"] == "page"
    (receiver,) = found.routes[0].to
    wrong = replace(receiver, address=f"{alertmanager.url}/nothing")
    (bad,) = attempts(replace(found, routes=(replace(found.routes[0], to=(wrong,)),)), time.time())
    assert bad.failure == "answers 404 Not Found"
