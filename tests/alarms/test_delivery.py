"""Outlets: one piece of work at a time, longer and longer pauses after failures, an end."""

import threading
from collections.abc import Iterator

import pytest

from helpers.alarming import NOW, Clock, Remembering
from helpers.patience import until
from muonscope.alarms.delivery import Outlet
from muonscope.alarms.planning import Message
from muonscope.alarms.receivers import Kind, Receiver
from muonscope.events import Event

RECEIVER = Receiver(kind=Kind.EXEC, address="/bin/true", name="exec:/bin/true", id="x")
ONE, OTHER = Message(kind="test", at=NOW), Message(kind="test", at=NOW + 1)


class Way:
    """An outlet to a receiver that remembers."""

    def __init__(self) -> None:
        self.sender, self.clock = Remembering(), Clock()
        self.events: list[Event] = []
        self.sent: list[Message] = []
        self.outlet = Outlet(
            RECEIVER, self.sender, self.events.append, lambda _, m: self.sent.append(m), self.clock
        )

    def give(self, *messages: Message) -> None:
        self.outlet.give(messages)
        until(lambda: not self.outlet.busy)


@pytest.fixture
def way() -> Iterator[Way]:
    found = Way()
    yield found
    found.outlet.end()
    found.outlet.join(5.0)


def test_messages_are_sent_in_order_and_told_one_by_one(way: Way) -> None:
    way.give(ONE, OTHER)
    assert way.sent == way.sender.got == [ONE, OTHER]
    assert way.outlet.free


def test_pauses_double_up_to_a_minute_and_a_success_ends_them(way: Way) -> None:
    way.sender.failure = "no"
    pauses = []
    for _ in range(8):
        way.give(ONE)
        begin = way.clock.now
        while not way.outlet.free:
            way.clock.now += 1.0
        pauses.append(way.clock.now - begin)
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    assert (way.outlet.failed, len(way.events), way.sent) == (8, 1, [])
    way.sender.failure = ""
    way.give(ONE)
    way.sender.failure = "no"
    way.give(ONE)
    way.clock.now += 2.0
    assert way.outlet.free


def test_what_follows_a_failure_is_not_sent(way: Way) -> None:
    way.sender.failure = "no"
    way.give(ONE, OTHER)
    assert way.outlet.failed == 1


def test_a_sender_that_breaks_ends_no_thread_and_shows_no_secret(way: Way) -> None:
    def broken(message: Message) -> None:
        raise ValueError("hunter2")

    way.sender.send = broken  # type: ignore[method-assign]
    way.give(ONE)
    assert way.events[0].detail == "internal error: ValueError"


def test_work_that_is_given_up_at_the_end_is_no_failure_to_tell_of(way: Way) -> None:
    way.sender.failure = "killed"
    way.sender.hold.clear()
    way.outlet.give([ONE])
    way.outlet.end()
    threading.Timer(0.1, way.sender.hold.set).start()
    way.outlet.join(5.0)
    until(lambda: way.outlet.failed == 1)
    assert way.events == []
