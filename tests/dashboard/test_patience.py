"""How long a connection may take to send a request and to take its answer; tests move the time."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, cast

import uvicorn
from uvicorn.server import ServerState

from muonscope.dashboard.security import PatientProtocol


@dataclass
class Timer:
    """A call that is due some time."""

    delay_s: float
    call: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """An event loop of which only the timers count."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []

    def call_later(self, delay_s: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(delay_s, call))
        return self.timers[-1]

    def create_task(self, coroutine: Coroutine[Any, Any, None], **_: Any) -> Any:
        """Run nothing: the app takes its time."""
        coroutine.close()
        return Task()

    def pass_time(self, s: float) -> None:
        """Call what is due in so many seconds."""
        due = [timer for timer in self.timers if timer.delay_s <= s]
        for timer in due:
            self.timers.remove(timer)
            if not timer.cancelled:
                timer.call()


class Task:
    """A task that is never done."""

    def add_done_callback(self, _call: Any) -> None:
        pass


class Transport:
    """A connection that can be cut off."""

    aborted = False

    def abort(self) -> None:
        self.aborted = True

    def get_extra_info(self, _name: str) -> Any:
        return None

    def pause_reading(self) -> None:
        pass


def connected() -> tuple[PatientProtocol, Loop, Transport]:
    loop, transport = Loop(), Transport()
    config = uvicorn.Config(lambda: None, log_config=None, lifespan="off")
    config.load()
    protocol = PatientProtocol(config, ServerState(), {}, cast("Any", loop))
    protocol.connection_made(cast("Any", transport))
    return protocol, loop, transport


def test_a_viewer_that_takes_nothing_is_cut_off() -> None:
    protocol, loop, transport = connected()
    loop.timers.clear()  # the patience for requests is another test's
    protocol.pause_writing()
    loop.pass_time(protocol.taking_s - 1)
    assert not transport.aborted
    loop.pass_time(protocol.taking_s + 1)
    assert transport.aborted


def test_a_viewer_that_reads_again_is_not_cut_off_later() -> None:
    protocol, loop, transport = connected()
    loop.timers.clear()
    protocol.pause_writing()
    protocol.resume_writing()
    loop.pass_time(protocol.taking_s + 1)
    assert not transport.aborted


HEAD = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10000000\r\n\r\n"


def test_a_request_that_goes_on_coming_is_waited_for() -> None:
    protocol, loop, transport = connected()
    protocol.data_received(HEAD)
    for _ in range(10):
        for _ in range(protocol.least_bytes // 4096):
            protocol.data_received(b"x" * 4096)
            protocol.flow.read_paused = False  # the app has taken it
        loop.pass_time(protocol.patience_s)
        assert not transport.aborted


def test_a_request_that_trickles_is_cut_off() -> None:
    protocol, loop, transport = connected()
    protocol.data_received(HEAD)
    loop.pass_time(protocol.patience_s)
    protocol.data_received(b"x" * (protocol.least_bytes - 1))
    assert not transport.aborted
    loop.pass_time(protocol.patience_s)
    assert transport.aborted


def test_a_request_that_the_server_itself_holds_up_is_not_cut_off() -> None:
    protocol, loop, transport = connected()
    protocol.data_received(HEAD + b"x" * 100_000)
    assert protocol.flow.read_paused
    for _ in range(10):
        loop.pass_time(protocol.patience_s)
        assert not transport.aborted
