"""Delivery: a thread for each receiver, so that one that hangs holds up no other.

An outlet has room for one piece of work, and tells when it is free again: after a failure later
and later, up to a minute.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Full, Queue

from muonscope.alarms.planning import Message
from muonscope.alarms.receivers import Receiver
from muonscope.alarms.senders import Sender
from muonscope.errors import MuonscopeError
from muonscope.events import Event, EventKind, Tell

__all__ = ["Outlet"]

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 60.0
_GRACE_S = 0.5


class Outlet:
    """The way to one receiver."""

    def __init__(
        self, receiver: Receiver, sender: Sender, tell: Tell,
        sent: Callable[[Receiver, Message], None], clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """Begin without work; ``sent`` is called, in the outlet's thread, with all that was sent.

        ``clock`` only counts the pauses between attempts.
        """
        self.receiver = receiver
        self.failed = 0
        """Attempts in vain since the beginning."""
        self.busy = False
        """Whether it has work."""
        self._sender, self._tell, self._sent, self._clock = sender, tell, sent, clock
        self._work: Queue[Sequence[Message] | None] = Queue(maxsize=1)
        self._again_at, self._in_vain, self._ends = 0.0, 0, False
        self._thread = threading.Thread(
            target=self._run, daemon=True, name=f"muonscope-alarms-{receiver.kind}"
        )
        self._thread.start()

    @property
    def free(self) -> bool:
        """Whether it takes work now."""
        return not self.busy and self._clock() >= self._again_at

    def give(self, messages: Sequence[Message]) -> None:
        """Take messages, to be sent in this order; only while it is free."""
        self.busy = True
        self._work.put(messages)

    def _run(self) -> None:
        while (messages := self._work.get()) is not None:
            try:
                for message in messages:
                    self._sender.send(message)
                    self._sent(self.receiver, message)
                self._note_success()
            except MuonscopeError as exc:
                self._note_failure(str(exc))
            except Exception as exc:  # a thread that ends would leave its receiver untold
                self._note_failure(f"internal error: {type(exc).__name__}")
            finally:
                self.busy = False

    def _note_failure(self, reason: str) -> None:
        self.failed += 1
        self._in_vain += 1
        pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(10, self._in_vain - 1))
        self._again_at = self._clock() + pause
        if self._in_vain == 1 and not self._ends:
            kind = EventKind.ALARM_UNSENT
            self._tell(Event(kind=kind, where=self.receiver.name, detail=reason))

    def _note_success(self) -> None:
        if self._in_vain:
            numbers = {"failed": float(self._in_vain)}
            self._in_vain = 0
            kind = EventKind.ALARM_SENT
            self._tell(Event(kind=kind, where=self.receiver.name, numbers=numbers))

    def end(self) -> None:
        """Take no more work; what is under way goes on, and is due again if it is given up."""
        self._ends = True
        with suppress(Full):
            self._work.put_nowait(None)

    def join(self, within_s: float) -> None:
        """Let what is under way end within some time, then give it up."""
        self._thread.join(within_s)
        if self._thread.is_alive():
            self._sender.close()
            self._thread.join(_GRACE_S)
