"""Going on after a lost transaction: what it held is made again from the saved state.

Whatever a transaction is lost to, a broker that is restarted, a pause longer than it may last
or another process, the way is the same: open the topic anew. Who finds there that another
process has claimed the id meanwhile gives way (:mod:`muonscope.transports.kafka.ledger`).
"""

import time
from collections.abc import Callable
from typing import TypeVar

from muonscope.errors import RolledBackError
from muonscope.events import Event, EventKind, Tell
from muonscope.stopping import Stop

__all__ = ["again_after_rollback"]

_T = TypeVar("_T")
_ROLLBACKS, _ROLLBACKS_S = 5, 120.0
"""More lost transactions than so many within so many seconds are no accident."""

_PAUSE_S = 0.5


def again_after_rollback(attempt: Callable[[], _T], stop: Stop, tell: Tell) -> _T:
    """Return what ``attempt`` returns, made again when a transaction was lost.

    Raises
    ------
    RolledBackError
        If that happens again and again, or it is to stop.
    """
    rollbacks: list[float] = []
    while True:
        try:
            return attempt()
        except RolledBackError as exc:
            now = time.monotonic()
            rollbacks = [at for at in rollbacks if now - at < _ROLLBACKS_S] + [now]
            if stop or len(rollbacks) > _ROLLBACKS:
                raise
            tell(Event(kind=EventKind.ROLLED_BACK, detail=str(exc)))
            time.sleep(_PAUSE_S)
