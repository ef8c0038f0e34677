"""Sending: to servers and programs that take it, and to those that do anything else."""

import json
import sys
import time
from collections.abc import Iterator
from email import message_from_string
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from helpers.alarming import NOW, change
from helpers.left_over import named
from helpers.patience import until
from helpers.receiving import (
    HttpReceiver,
    MailReceiver,
    answering,
    endless,
    free_port,
    hanging,
    http_receiver,
    mail_receiver,
)
from muonscope.alarms.planning import Item, Message
from muonscope.alarms.receivers import receiver_of
from muonscope.alarms.senders import Sender, sender_of
from muonscope.alarms.state import AlarmState, Told
from muonscope.alarms.texts import body_of, title_of
from muonscope.errors import OptionError, SinkError
from muonscope.quality.verdict import Change, State

LINK = "http://telescope.example/"


def message(*changes: Change, severity: str = "page", kind: str = "alarms") -> Message:
    state = AlarmState()
    state.take("legnaro", "läuft", changes or [change(value=3.5, expected=7, unit="Hz")], NOW)
    items = [Item(alarm=alarm, severity=severity) for alarm in state.alarms.values()]
    return Message(kind=kind, items=tuple(items), at=NOW + 60)  # type: ignore[arg-type]


def sender(text: str) -> Sender:
    found = receiver_of(text, "here", folder=Path(), environ={})
    return sender_of(found, link=LINK, runbook="http://docs.example/checks#{check}")


@pytest.fixture
def server() -> Iterator[HttpReceiver]:
    with http_receiver() as found:
        yield found


@pytest.fixture
def mail() -> Iterator[MailReceiver]:
    with mail_receiver() as found:
        yield found


# ---- HTTP


def test_alertmanager_gets_what_its_api_asks_for(server: HttpReceiver) -> None:
    url = server.url.replace("//", "//me:p%40ss@")
    sender(f"alertmanager:{url}/prefix/").send(message())
    ((path, login, (alert,)),) = server.got
    assert path == "/prefix/api/v2/alerts"
    assert login == "Basic bWU6cEBzcw=="
    assert alert == {
        "labels": {
            "alertname": "MuonscopeChamberRate", "severity": "page", "detector": "legnaro",
            "run": "läuft", "check": "chamber_rate", "target": "ch1",
        },
        "annotations": {
            "summary": "BAD chamber_rate ch1: chamber_rate of ch1", "value": "3.5 Hz",
            "limit": "7 Hz", "runbook_url": "http://docs.example/checks#chamber_rate",
            "advice": alert["annotations"]["advice"],
        },
        "startsAt": "2027-01-15T08:00:00.000Z", "endsAt": "2027-01-15T08:04:00.000Z",
        "generatorURL": LINK,
    }  # fmt: skip


def test_what_is_over_ends_now_and_another_severity_ends_the_alert_before(
    server: HttpReceiver,
) -> None:
    told = Told(state=State.WARN, severity="ticket", at=NOW)
    (item,) = message().items
    worse = Item(alarm=item.alarm, severity="page", before=told)
    sender(f"alertmanager:{server.url}").send(Message(kind="alarms", items=(worse,), at=NOW + 60))
    sender(f"alertmanager:{server.url}").send(message(change(), change(state=State.GOOD)))
    ends = [
        (alert["labels"]["severity"], alert["endsAt"][11:16])
        for _, _, alerts in server.got
        for alert in alerts
    ]
    assert ends == [("page", "08:04"), ("ticket", "08:01"), ("page", "08:01")]


def test_a_sign_of_life_is_an_alert_that_always_fires(server: HttpReceiver) -> None:
    sender(f"alertmanager:{server.url}").send(Message(kind="watchdog", at=NOW))
    sender(f"ping:{server.url}/secret-key").send(Message(kind="watchdog", at=NOW))
    (_, _, (alert,)), (path, _, body) = server.got
    assert alert["labels"]["alertname"] == "MuonscopeWatchdog"
    assert alert["endsAt"] == "2027-01-15T08:03:00.000Z"
    assert (path, body) == ("/secret-key", None)


@pytest.mark.parametrize(
    ("code", "told"),
    [(500, "answers 500 Internal Server Error"), (404, "answers 404 Not Found"),
     (429, "answers 429"), (400, "answers 400 Bad Request")],
)  # fmt: skip
def test_a_server_that_refuses_is_told_with_its_answer(
    server: HttpReceiver, code: int, told: str
) -> None:
    server.answer = answering(code, b"x" * 1000)
    with pytest.raises(SinkError, match=told):
        sender(f"alertmanager:{server.url}").send(message())


def nonsense(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\0\r\nnonsense\r\n\r\n")


def test_a_server_that_is_not_there_or_hangs_or_speaks_otherwise_is_given_up(
    server: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SinkError, match="cannot be reached: Connection refused"):
        sender(f"alertmanager:http://me:hunter2@127.0.0.1:{free_port()}").send(message())
    monkeypatch.setattr("muonscope.alarms.senders.HTTP_S", 0.3)
    server.answer, begin = hanging, time.monotonic()
    with pytest.raises(SinkError, match="does not answer within"):
        sender(f"alertmanager:{server.url}").send(message())
    assert time.monotonic() - begin < 5
    server.answer = endless
    sender(f"alertmanager:{server.url}").send(message())  # its answer is not read
    server.answer = nonsense
    with pytest.raises(SinkError, match="cannot be reached"):
        sender(f"alertmanager:{server.url}").send(message())


def test_a_host_that_does_not_exist_shows_no_secret() -> None:
    with pytest.raises(SinkError) as caught:
        sender("alertmanager:http://me:hunter2@no.such.host.invalid").send(message())
    assert "hunter2" not in str(caught.value)


# ---- programs


def program(folder: Path, body: str) -> str:
    path = folder / "call"
    path.write_text(f"#!{sys.executable}\n{body}\n", "utf-8")
    path.chmod(0o755)
    return f"exec:{path}"


def test_a_program_gets_the_message_as_json_and_no_argument(tmp_path: Path) -> None:
    body = "import sys; open('{}', 'w').write(repr(sys.argv[1:]) + sys.stdin.read())"
    out = tmp_path / "got"
    nasty = change(target="ch1; rm -rf $HOME")
    sender(program(tmp_path, body.format(out))).send(message(nasty))
    text = out.read_text("utf-8")
    assert text.startswith("[]")
    got = json.loads(text[2:])
    (alarm,) = got["alarms"]
    assert (got["kind"], got["severity"], got["link"]) == ("alarms", "page", LINK)
    assert (alarm["target"], alarm["run"], alarm["state"]) == ("ch1; rm -rf $HOME", "läuft", "BAD")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise SystemExit(1)", "ended with exit code 1"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "killed by signal 15"),
    ],
)
def test_a_program_that_fails_is_told_with_its_code(body: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=told):
        sender(program(tmp_path, body)).send(message())


def test_a_program_that_never_ends_is_killed_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muonscope.alarms.senders.EXEC_S", 1.0)
    body = (
        "import subprocess, time\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(subprocess.Popen(['sleep', '600']).pid))\n"
        "time.sleep(600)"
    )
    with pytest.raises(SinkError, match="did not end within 1 s, and was killed"):
        sender(program(tmp_path, body)).send(message())
    started = int((tmp_path / "pid").read_text("utf-8"))
    until(lambda: "sleep" not in named(started), "the end of what it started", within_s=5.0)


def test_a_program_that_floods_its_output_or_reads_nothing_is_no_trouble(tmp_path: Path) -> None:
    flood = "import sys\nfor out in [sys.stdout, sys.stderr] * 20: out.write('x' * 10**6)"
    sender(program(tmp_path, flood)).send(message())
    many = message(*[change(target=f"ch0:{n}") for n in range(10_000)], kind="digest")
    sender(program(tmp_path, "import os; os.close(0)")).send(many)


def test_a_program_that_cannot_be_started_is_refused_or_told(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no such program"):
        sender(f"exec:{tmp_path}/none")
    with pytest.raises(OptionError, match="no such program"):
        sender(f"exec:{tmp_path}")
    path = Path(program(tmp_path, "").partition(":")[2])
    path.chmod(0o644)
    with pytest.raises(OptionError, match=r"not executable: chmod \+x"):
        sender(f"exec:{path}")
    path.chmod(0o755)
    good = sender(f"exec:{path}")
    path.write_bytes(b"\0no program")
    with pytest.raises(SinkError, match="cannot be started: Exec format error"):
        good.send(message())
    path.unlink()
    with pytest.raises(SinkError, match="cannot be started: No such file"):
        good.send(message())


def test_what_is_given_up_starts_no_program_any_more(tmp_path: Path) -> None:
    found = sender(program(tmp_path, ""))
    found.close()
    with pytest.raises(SinkError, match="given up"):
        found.send(message())


# ---- apprise


def test_without_apprise_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(
        OptionError, match=r"mailto://\*\*\*: needs apprise: pip install 'muon"
    ) as e:
        sender("apprise:mailto://me:hunter2@example.org")
    assert "hunter2" not in str(e.value)


IMGHDR = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
"""Of Python 3.11 and 3.12, where apprise is first used."""


@IMGHDR
def test_a_mail_says_what_is_wrong_and_what_to_do(mail: MailReceiver) -> None:
    pytest.importorskip("apprise")
    url = f"mailto://127.0.0.1:{mail.port}/?from=us@a.example&to=you@b.example&mode=insecure"
    many = message(*[change("cell_dead", f"ch0:{n}") for n in range(30)], kind="digest")
    sender(f"apprise:{url}").send(many)
    sender(f"apprise:{url}").send(message(change(), change(state=State.GOOD)))
    first, second = map(message_from_string, mail.mails)
    assert first["To"] == "you@b.example"
    assert "BAD cell_dead ch0:0 and 29 more (legnaro)" in str(first["Subject"])
    body = first.get_payload(decode=True)
    assert isinstance(body, bytes)
    text = body.decode()
    assert "cell_dead of ch0:19" in text
    assert "... and 10 more" in text
    assert "see its wire, high voltage" in text
    assert LINK in text
    assert "over: chamber_rate ch1" in str(second["Subject"])


@IMGHDR
def test_a_mail_that_is_refused_is_told_without_secrets(mail: MailReceiver) -> None:
    pytest.importorskip("apprise")
    mail.refuses = True
    url = f"mailto://me:hunter2@127.0.0.1:{mail.port}/?from=us@a.example&to=you@b.example"
    with pytest.raises(SinkError, match="was not sent") as caught:
        sender(f"apprise:{url}&mode=insecure").send(message())
    assert "hunter2" not in str(caught.value)


@IMGHDR
def test_what_apprise_does_not_know_is_refused_without_its_secrets() -> None:
    pytest.importorskip("apprise")
    with pytest.raises(OptionError, match="apprise cannot use it") as caught:
        sender("apprise:nonsense://hunter2/token99")
    assert "hunter2" not in str(caught.value)
    assert "token99" not in str(caught.value)


# ---- texts


def test_a_digest_names_its_root_and_how_many_more() -> None:
    from dataclasses import replace

    flood = message(*[change("cell_dead", f"ch0:{n}") for n in range(40)], kind="digest")
    root = message(change("fpga_silent", "fpga1")).items[0].alarm
    assert title_of(replace(flood, root=root)) == (
        "[page] BAD fpga_silent fpga1 and 40 more (legnaro)"
    )
    assert body_of(replace(flood, root=root), "").startswith(
        "40 alarms at once; the largest part that fails:\nfpga_silent fpga1: fpga_silent of fpga1"
    )
    own = replace(flood, root=flood.items[3].alarm)
    assert title_of(own) == "[page] BAD cell_dead ch0:3 and 39 more (legnaro)"


def test_the_end_of_many_is_told_as_such() -> None:
    ended = [change(target=f"ch{n}", state=s) for n in range(3) for s in (State.BAD, State.GOOD)]
    assert title_of(message(*ended)) == "[page] 3 are over (legnaro)"
