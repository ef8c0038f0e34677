"""The file of alarms: what it says, and what it says of mistakes."""

from pathlib import Path

import pytest

from helpers.alarming import config
from muonscope.alarms.config import read_alarms
from muonscope.errors import OptionError
from muonscope.quality.verdict import State

TO = 'to = ["exec:/bin/true"]'
ONE = f"[[route]]\n{TO}\n"


def test_a_route_says_what_goes_where_and_when(tmp_path: Path) -> None:
    found = config(
        'timezone = "Europe/Rome"\n[[route]]\n'
        'match = {check = "cell*", target = "ch0*", state = "bad"}\nseverity = "page"\n'
        'group = "chamber"\nfor = "30s"\nrepeat = "2h"\nquiet = ["22:00-07:00"]\n'
        'to = ["alertmanager:http://127.0.0.1:9093", "exec:/bin/true"]\ncontinue = true\n'
        '[watchdog]\nping = "https://hc.example/abc"\nevery = "2min"\n',
        tmp_path,
    )
    (route,) = found.routes
    assert (route.number, route.severity, route.group, route.goes_on) == (
        1,
        "page",
        "chamber",
        True,
    )
    assert (route.for_s, route.repeat_s) == (30.0, 7200.0)
    assert (route.match.check, route.match.least) == ("cell*", State.BAD)
    assert str(route.match) == "check=cell* target=ch0* state=bad"
    assert [one.name for one in route.to] == [
        "alertmanager:http://127.0.0.1:9093",
        "exec:/bin/true",
    ]
    assert found.watchdog is not None
    assert (found.watchdog.every_s, found.watchdog.ping.name) == (
        120.0,
        "ping:https://hc.example/***",
    )
    assert found.store == tmp_path / "alarms.sqlite"


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    found = config(ONE, tmp_path)
    (route,) = found.routes
    assert (route.severity, route.group, route.for_s, route.repeat_s) == (
        "ticket",
        "none",
        0,
        14400,
    )
    assert (found.no_data_s, found.watchdog, route.quiet.spans) == (60.0, None, ())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "route: found none, expected [[route]]"),
        ("]][", "alarms.toml: "),
        ("route = 5", "found 5"),
        ("[[routes]]\n" + TO, "unknown field `routes`"),
        ("[[route]]\n", "missing required field `to`"),
        (ONE + 'severity = "high"', "'high' - at `$.route[0].severity`; found 'high'"),
        (ONE + "severity = 5", "found 5"),
        (ONE + 'grup = "none"', "unknown field `grup` - at `$.route[0]`"),
        (ONE + 'match = {chek = "x"}', "unknown field `chek`"),
        (ONE + 'match = {state = "good"}', "found 'good'"),
        (ONE + 'match = "cell*"', "found 'cell*'"),
        (ONE + 'for = "soon"', "route 1: for: found 'soon', expected a number with a unit"),
        (ONE + 'for = "-5s"', "route 1: for: found '-5s'"),
        (ONE + "repeat = 5", "found 5"),
        (ONE + 'repeat = "1e999h"', "route 1: repeat"),
        (ONE + 'quiet = ["22-7"]', "quiet: found '22-7', expected two times of day such as 22:00"),
        (ONE + 'quiet = ["22:00-25:00"]', "found '22:00-25:00'"),
        (ONE + 'quiet = ["22:60-23:00"]', "found '22:60-23:00'"),
        (ONE + 'quiet = ["22:00-22:00"]', "found '22:00-22:00'"),
        (ONE + 'timezone = "Mars/Olympus"', "found 'Mars/Olympus', expected a time zone"),
        (ONE + 'timezone = "../../etc/passwd"', "expected a time zone"),
        (ONE + 'timezone = "."', "expected a time zone"),
        ('no_data = "0s"\n' + ONE, "no_data: found '0s', expected a positive number"),
        ('state = ""\n' + ONE, "state: found ''"),
        (ONE + "[watchdog]\n", "missing required field `ping`"),
        (ONE + '[watchdog]\nping = "ftp://x/y"', "watchdog.ping: expected a URL such as http://"),
        (ONE + '[watchdog]\nping = "http://x"\nevery = "1ms"', "every: found 1ms, expected 1s"),
    ],
)
def test_a_mistake_is_named_with_what_was_found_and_expected(
    text: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError) as caught:
        config(text, tmp_path)
    assert told in str(caught.value)
    assert str(caught.value).startswith("alarms.toml: ")


@pytest.mark.parametrize(
    "text",
    [
        '[[route]]\nto = "apprise:mailto://me:hunter2@example.org"',
        '[[route]]\nto = ["nonsense:hunter2"]',
        '[[route]]\nto = ["apprise:hunter2"]',
        '[[route]]\nto = ["alertmanager:gopher://me:hunter2@h"]',
        '[[route]]\nto = ["alertmanager:http://me:hunter2@[::1"]',
        '[[route]]\nto = ["alertmanager:http://h/ hunter2"]',
        '[[route]]\nto = ["ping:http://hunter2"]',
        ONE + '[watchdog]\nping = 5\nevery = "hunter2"',
        ONE + '[watchdog]\nping = "hunter2"',
    ],
)
def test_a_mistake_in_an_address_shows_nothing_of_it(text: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError) as caught:
        config(text, tmp_path)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="cannot be read: No such file"):
        read_alarms(str(tmp_path / "none.toml"))
    with pytest.raises(OptionError, match="cannot be read: Is a directory"):
        read_alarms(str(tmp_path))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\0\0")
    with pytest.raises(OptionError, match="no UTF-8"):
        read_alarms(str(tmp_path / "binary.toml"))
    (tmp_path / "long.toml").write_bytes(b"#" * ((1 << 20) + 5))
    with pytest.raises(OptionError, match="more than 1,048,576 bytes"):
        read_alarms(str(tmp_path / "long.toml"))
    (tmp_path / "deep.toml").write_text("a = " + "[" * 100_000, "utf-8")
    with pytest.raises(OptionError):
        read_alarms(str(tmp_path / "deep.toml"))


def test_the_state_lies_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(f'state = "mine.db"\n{ONE}', "utf-8")
    assert read_alarms(str(tmp_path / "a.toml")).store == tmp_path / "mine.db"


def test_a_receiver_that_a_route_names_twice_is_told_once(tmp_path: Path) -> None:
    (route,) = config('[[route]]\nto = ["exec:/bin/true", "exec:/bin/true"]', tmp_path).routes
    assert len(route.to) == 1
