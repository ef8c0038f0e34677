"""What is due for whom: routes, repeats, quiet times, floods and their roots."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from helpers.alarming import NOW, change, config
from muonscope.alarms.config import AlarmConfig, Match
from muonscope.alarms.planning import (
    Flow,
    Item,
    Message,
    due,
    messages_of,
    phase_of,
    root_of,
    routed,
)
from muonscope.alarms.state import Acknowledged, AlarmState, Silence, Told
from muonscope.quality.verdict import Change, State

EXEC, AM = "exec:/bin/true", "alertmanager:http://h"
ROUTE = '[[route]]\nseverity = "ticket"\nto = ["exec:/bin/true"]\n'
NIGHT = 'timezone = "UTC"\nquiet = ["00:00-09:00"]\n'
"""It is 08:00."""


class World:
    """Alarms and their routes."""

    def __init__(self, text: str, *changes: Change) -> None:
        self.config: AlarmConfig = config(text, Path())
        self.state = AlarmState()
        self.take(*changes)

    def take(self, *changes: Change, at: float = NOW) -> None:
        self.state.take("legnaro", "r", changes, at)

    def due(self, at: float = NOW, *, sent: bool = True) -> dict[str, list[str]]:
        """Return the targets that are due for each receiver; they count as sent."""
        names = {one.id: one.name for one in self.config.receivers.values()}
        found: dict[str, list[str]] = {}
        for receiver, routes in due(self.state, self.config, at).items():
            for item in [item for items in routes.values() for item in items]:
                found.setdefault(names[receiver], []).append(item.alarm.target)
                if sent:
                    state, severity, over = item.told
                    told = Told(state=state, severity=severity, over=over, at=at)
                    self.state.note_told(item.alarm.key, receiver, told)
        return found


def over(target: str = "ch1") -> Change:
    return change(target=target, state=State.GOOD)


def test_an_alarm_is_sent_once_and_again_after_its_repeat_until_it_is_over() -> None:
    world = World(ROUTE + 'repeat = "1h"', change())
    assert world.due() == {EXEC: ["ch1"]}
    assert world.due(NOW + 3599) == {}
    assert world.due(NOW + 3600) == {EXEC: ["ch1"]}
    world.take(over(), at=NOW + 4000)
    assert world.due(NOW + 4000) == {EXEC: ["ch1"]}
    assert world.due(NOW + 4001) == {}
    assert not world.state.alarms


def test_what_was_not_sent_is_due_until_it_is() -> None:
    world = World(ROUTE, change())
    for second in range(5):
        assert world.due(NOW + second, sent=False) == {EXEC: ["ch1"]}
    world.take(over(), at=NOW + 5)
    assert world.due(NOW + 9) == {EXEC: ["ch1"]}  # that it came and went is said once
    assert world.due(NOW + 10) == {}


def test_without_a_repeat_it_is_sent_once() -> None:
    world = World(ROUTE + 'repeat = "0s"', change())
    world.due()
    assert world.due(NOW + 1e7) == {}


def test_what_is_over_before_its_time_is_not_sent() -> None:
    world = World(ROUTE + 'for = "30s"', change())
    assert world.due(NOW + 29) == {}
    (alarm,) = world.state.alarms.values()
    assert phase_of(alarm, world.config, NOW + 29) == ("pending", "ticket")
    assert phase_of(alarm, world.config, NOW + 30) == ("firing", "ticket")
    world.take(over(), at=NOW + 29)
    assert world.due(NOW + 60) == {}
    assert not world.state.alarms
    world.take(change(), at=NOW + 100)
    assert world.due(NOW + 130) == {EXEC: ["ch1"]}


def test_the_first_route_that_fits_wins_unless_it_goes_on() -> None:
    first = '[[route]]\nmatch = {check = "cell*"}\nseverity = "info"\nto = ["exec:/bin/a"]\n'
    second = '[[route]]\nto = ["exec:/bin/b", "exec:/bin/a"]\n'
    changes = change("cell_dead", "ch0:1"), change()
    found = World(first + second, *changes).due()
    assert found == {"exec:/bin/a": ["ch0:1", "ch1"], "exec:/bin/b": ["ch1"]}
    world = World(first + "continue = true\n" + second, *changes)
    assert world.due() == {"exec:/bin/a": ["ch0:1", "ch1"], "exec:/bin/b": ["ch0:1", "ch1"]}
    cell = world.state.alarms["legnaro", "cell_dead", "ch0:1"]
    assert [(r.severity, to.name) for r, to in routed(cell, world.config)] == [
        ("info", "exec:/bin/a"), ("ticket", "exec:/bin/b"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "match",
    ['check = "cell*"', 'target = "ch2*"', 'detector = "x"', 'run = "s*"', 'state = "bad"'],
)
def test_what_no_route_fits_goes_nowhere(match: str) -> None:
    world = World(ROUTE + f"match = {{{match}}}", change(state=State.WARN))
    assert world.due() == {}
    (alarm,) = world.state.alarms.values()
    assert phase_of(alarm, world.config, NOW) == ("firing", "")


def test_a_route_to_nobody_keeps_alarms_from_those_below() -> None:
    assert World("[[route]]\nto = []\n" + ROUTE, change()).due() == {}


def test_a_route_for_bad_ones_takes_over_when_it_gets_worse() -> None:
    text = (
        '[[route]]\nmatch = {state = "bad"}\nseverity = "page"\nto = ["exec:/bin/true"]\n' + ROUTE
    )
    world = World(text, change(state=State.WARN))
    assert world.due() == {EXEC: ["ch1"]}
    world.take(change(state=State.BAD), at=NOW + 1)
    assert world.due(NOW + 1) == {EXEC: ["ch1"]}
    world.take(change(state=State.WARN), at=NOW + 2)
    assert world.due(NOW + 2) == {}


def test_what_somebody_has_seen_is_not_repeated_but_its_end_is_told() -> None:
    world = World(ROUTE, change(state=State.WARN))
    world.due()
    key = "legnaro", "chamber_rate", "ch1"
    world.state.acknowledge(
        key, Acknowledged(who="me", note="", at=NOW, until=None, state=State.WARN)
    )
    assert world.due(NOW + 1e5) == {}
    world.take(change(state=State.BAD), at=NOW + 1e5)
    assert world.due(NOW + 1e5) == {EXEC: ["ch1"]}
    world.take(over(), at=NOW + 2e5)
    assert world.due(NOW + 2e5) == {EXEC: ["ch1"]}


def test_a_silence_keeps_all_back_until_it_ends() -> None:
    world = World(ROUTE, change())
    silence = Silence(match=Match(check="chamber*"), until=NOW + 60, why="", who="", at=NOW)
    world.state.silences = (silence,)
    assert world.due(NOW + 59) == {}
    assert world.due(NOW + 60) == {EXEC: ["ch1"]}
    world.take(over(), at=NOW + 61)
    world.state.silences = (Silence(match=Match(), until=NOW + 90, why="", who="", at=NOW),)
    assert world.due(NOW + 62) == {}
    assert world.due(NOW + 90) == {EXEC: ["ch1"]}  # who was told of it is told of its end


def test_what_comes_and_goes_in_a_silence_is_not_sent() -> None:
    world = World(ROUTE, change())
    world.state.silences = (Silence(match=Match(), until=NOW + 60, why="", who="", at=NOW),)
    world.due()
    world.take(over(), at=NOW + 5)
    world.due(NOW + 6)
    assert not world.state.alarms


def test_in_quiet_times_only_pages_go_out_and_the_rest_waits() -> None:
    page = '[[route]]\nmatch = {check = "chamber*"}\nseverity = "page"\nto = ["exec:/bin/true"]\n'
    world = World(page + NIGHT + ROUTE + NIGHT, change(), change("cell_dead", "ch0:1"))
    assert world.due() == {EXEC: ["ch1"]}
    world.take(change("cell_dead", "ch0:1", State.GOOD), at=NOW + 10)
    world.take(change("cell_dead", "ch0:2"), at=NOW + 10)
    assert world.due(NOW + 3599) == {}
    assert world.due(NOW + 3600) == {EXEC: ["ch0:1", "ch0:2"]}  # also what is over by then


def test_alertmanager_is_reminded_every_minute_whatever_the_repeat() -> None:
    world = World(f'[[route]]\nto = ["{AM}"]\n{NIGHT}', change())
    assert world.due() == {}
    assert world.due(NOW + 3600) == {AM: ["ch1"]}
    assert world.due(NOW + 3659) == {}
    assert world.due(NOW + 3660) == {AM: ["ch1"]}
    key = "legnaro", "chamber_rate", "ch1"
    world.state.acknowledge(key, Acknowledged(who="me", note="", at=NOW, state=State.BAD))
    assert world.due(NOW + 86_400) == {AM: ["ch1"]}  # seen, at night: else it would be over
    world.take(over(), at=NOW + 86_410)
    assert world.due(NOW + 86_410) == {AM: ["ch1"]}
    assert not world.due(NOW + 86_411)


def test_a_receiver_that_is_gone_from_the_file_is_owed_nothing() -> None:
    world = World(ROUTE, change())
    world.due()
    world.config = config('[[route]]\nto = ["exec:/bin/false"]', Path())
    assert world.due() == {"exec:/bin/false": ["ch1"]}
    world.take(over(), at=NOW + 5)
    world.due(NOW + 5)
    world.due(NOW + 6)
    assert not world.state.alarms


def test_one_that_is_still_there_is_told_of_the_end_of_what_goes_elsewhere_now() -> None:
    world = World(ROUTE, change())
    world.due()
    world.config = config(ROUTE + 'match = {check = "x"}', Path())
    assert world.due(NOW + 1e6) == {}
    world.take(over(), at=NOW + 1e6)
    assert world.due(NOW + 1e6) == {EXEC: ["ch1"]}


# ---- messages


def items_of(*changes: Change, since: float = NOW) -> list[Item]:
    state = AlarmState()
    state.take("legnaro", "r", changes, since)
    return [Item(alarm=alarm, severity="ticket") for alarm in state.alarms.values()]


def messages(
    items: Sequence[Item], group: str = "none", flow: Flow | None = None, at: float = NOW,
    to: str = EXEC,
) -> list[Message]:  # fmt: skip
    found = config(f'[[route]]\ngroup = "{group}"\nto = ["{to}"]', Path())
    (route,) = found.routes
    flow = flow or Flow()
    made = messages_of(items, route, route.to[0], flow, [i.alarm for i in items], at)
    flow.note(made)
    return made


CELLS = [change("cell_dead", f"ch{c}:{n}") for c in (0, 1) for n in range(3)]


@pytest.mark.parametrize(
    ("group", "sizes"), [("none", [1] * 8), ("chamber", [4, 3, 1]), ("check", [7, 1]), ("all", [8])]
)
def test_a_route_makes_groups(group: str, sizes: list[int]) -> None:
    items = items_of(*CELLS, change("cell_dead", "ch0"), change("telescope_rate", "telescope"))
    made = messages(items, group)
    assert [len(message.items) for message in made] == sizes
    assert {message.kind for message in made} == {"alarms"}


def test_a_pair_of_chambers_is_in_the_group_of_neither() -> None:
    items = items_of(change("x", "ch0-ch2"), change("y", "ch0"), change("z", "ch01"))
    assert len(messages(items, "chamber")) == 3


def test_a_flood_is_one_message_that_names_its_root() -> None:
    items = items_of(
        *[change("cell_dead", f"ch0:{n}") for n in range(50)], change("fpga_silent", "fpga1")
    )
    (digest,) = messages(items)
    assert (digest.kind, len(digest.items)) == ("digest", 51)
    assert digest.root is not None
    assert digest.root.target == "fpga1"


def test_ten_at_once_are_no_flood_and_eleven_within_ten_seconds_are() -> None:
    items, flow = items_of(*[change("c", f"ch0:{n}") for n in range(11)]), Flow()
    assert len(messages(items[:10], flow=flow)) == 10
    (digest,) = messages(items[10:], flow=flow, at=NOW + 9)
    assert digest.kind == "digest"
    assert messages(items[10:], flow=flow, at=NOW + 9.5) == []  # the next digest waits for more
    assert [m.kind for m in messages(items[10:], flow=flow, at=NOW + 10)] == ["alarms"]


def test_digests_of_a_long_flood_come_every_ten_seconds() -> None:
    flow, made = Flow(), 0
    items = items_of(*[change("c", f"ch0:{n}") for n in range(20)])
    for second in range(60):
        made += len(messages(items, flow=flow, at=NOW + second))
    assert made == 6


def test_a_clock_that_is_set_back_holds_no_message_up() -> None:
    items, flow = items_of(*[change("c", f"ch0:{n}") for n in range(20)]), Flow()
    assert messages(items, flow=flow)
    assert messages(items, flow=flow, at=NOW - 3600)
    assert len(messages(items[:5], flow=flow, at=NOW - 7200)) == 5


@pytest.mark.parametrize(
    ("targets", "root"),
    [
        (["ch0:1", "ch0", "fpga1", "telescope"], "telescope"),
        (["ch0:1", "ch1", "fpga1"], "fpga1"),
        (["ch0:1", "ch1"], "ch1"),
        (["ch0:1", "scintillator"], "scintillator"),
        (["ch0:7", "ch0:1"], "ch0:1"),
    ],
)
def test_the_root_is_the_largest_part(targets: list[str], root: str) -> None:
    found = root_of(items_of(*[change("c", target) for target in targets]), [])
    assert found is not None
    assert found.target == root


def test_the_root_may_have_been_told_just_before_but_not_long_ago() -> None:
    cells = items_of(*CELLS)
    (just,) = items_of(change("fpga_silent", "fpga1"), since=NOW - 5)
    (old,) = items_of(change("telescope_rate", "telescope"), since=NOW - 3600)
    found = root_of(cells, [just.alarm, old.alarm])
    assert found is not None
    assert found.target == "fpga1"
    assert root_of([], []) is None


def test_alertmanager_makes_its_own_digests_of_at_most_500_a_request() -> None:
    items = items_of(*[change("c", f"ch0:{n}") for n in range(1201)])
    made = messages(items, to=AM)
    assert [len(message.items) for message in made] == [500, 500, 201]


def test_the_gravest_item_gives_the_severity_of_a_message() -> None:
    a, b = items_of(change(target="ch1"), change(target="ch2"))
    message = Message(kind="alarms", at=NOW, items=(a, Item(alarm=b.alarm, severity="page")))
    assert message.severity == "page"
