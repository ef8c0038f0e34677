"""The feeds of a dashboard that show results, which were counted before.

A feed runs in a thread of its own until its source ends or it is told to stop.
"""

import math
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Protocol

from muonscope.dashboard.live import Live, Progress
from muonscope.errors import OptionError, SourceLostError, SourceNotFoundError
from muonscope.events import Event, EventKind, Tell
from muonscope.intake.archived import ArchivedResults
from muonscope.intake.find_results import GROUP, Found, ResultFiles, ResultTopic, listed
from muonscope.processing.inputs import partitions_of
from muonscope.results.read_message import MAX_MESSAGE_BYTES
from muonscope.stopping import Stop
from muonscope.stream.messages import Messages
from muonscope.stream.ordering import Front
from muonscope.transports.base import ByteSource, Piece, SourceStatus
from muonscope.transports.following import FollowSource
from muonscope.transports.kafka.consumer import Begin, BoundedReader
from muonscope.transports.kafka.opening import open_bounded
from muonscope.transports.kafka.options import KafkaOptions
from muonscope.transports.kafka.url import KafkaUrl
from muonscope.wording import describe

__all__ = ["ArchivedRuns", "Feed", "FileResults", "TopicResults", "result_feed"]

_TELL_S = 0.5
_WAIT_S = 0.5
_BACKLOG_BYTES = 64 << 20
_TOLD_TO_STOP = "it was told to stop"


class Feed(Protocol):
    """Something that brings windows to a dashboard."""

    def run(self, live: Live, stop: Stop) -> str:
        """Bring all there is, until the source ends or ``stop``; return why it ended."""


def result_feed(found: Found, speed: float | None, tell: Tell) -> Feed:
    """Return what brings results to a dashboard, and more as they come.

    Raises
    ------
    OptionError
        If a ``speed`` is asked for where they come as they are published.
    """
    if isinstance(found, ResultTopic):
        if speed is not None:
            raise OptionError("--speed: results in a topic come as they are published")
        return TopicResults(found.url, found.kafka, tell)
    if isinstance(found, ArchivedResults):
        if speed is not None:
            raise OptionError("--speed: the runs of an archive are shown at once")
        return ArchivedRuns(found)
    assert isinstance(found, ResultFiles)
    source = FollowSource(lambda: listed(found.sources), clock=time.time, wait=time.sleep)
    return FileResults(source, speed)


class FileResults:
    """Results in files of JSON lines, which may grow."""

    def __init__(self, source: ByteSource, speed: float | None) -> None:
        """Take a source that follows the files; ``speed`` is the pace, as for words."""
        self._source, self._speed = source, speed
        self._lines = _Lines()
        self._read: dict[str, int] = {}
        self._at_rest = self._grew = False

    def run(self, live: Live, stop: Stop) -> str:
        """Show what the files hold, and what they get, until told to stop."""
        pace = _ResultPace(self._speed, live, stop)
        next_tell, there = 0.0, self._speed is None
        for piece in self._source.pieces():
            came = time.time()
            there = there and not piece.idle  # before anybody looked
            there_s = piece.changed_s if there else math.inf
            self._grew = self._grew or (self._at_rest and not piece.idle)
            self._at_rest = piece.idle and not self._grew
            if piece.error:
                self._tell(live, came, notes=[str(piece.error)])
            for line in self._lines.take(piece):
                if live.take(line, there_s=there_s) is not None and pace.is_ahead():
                    self._tell(live, came)
                    pace.wait()
                    came = time.time()
                if time.monotonic() >= next_tell:
                    self._tell(live, came)
                    next_tell = time.monotonic() + _TELL_S
                if stop:
                    break
            self._read[piece.name] = max(self._read.get(piece.name, 0), piece.read)
            self._tell(live, came)
            if stop:
                return _TOLD_TO_STOP
        return "the files have come to their end"

    def _tell(self, live: Live, came: float, notes: Sequence[str] = ()) -> None:
        sources = [SourceStatus(name=n, read=r, behind=0) for n, r in self._read.items() if n]
        live.tell(Progress(sources=sources, notes=notes, at_rest=self._at_rest), came)


class _Lines:
    """Cuts the pieces of files into lines; one that is longer than any message is dropped."""

    def __init__(self) -> None:
        self._rest: dict[str, bytes] = {}
        self._dropping: set[str] = set()

    def take(self, piece: Piece) -> Iterator[bytes]:
        """Yield the whole lines that a piece completes."""
        key = piece.key
        if piece.read == len(piece.data):  # the file begins, perhaps anew
            self._rest.pop(key, None)
            self._dropping.discard(key)
        *lines, rest = (self._rest.pop(key, b"") + piece.data).split(b"\n")
        for line in lines:
            if key in self._dropping:
                self._dropping.discard(key)
            elif line.strip():
                yield line
        if len(rest) > MAX_MESSAGE_BYTES:
            if key not in self._dropping:
                yield rest
            self._dropping.add(key)
        elif key not in self._dropping or rest:
            self._rest[key] = rest


class _ResultPace:
    """Holds results back until their time has come."""

    def __init__(self, speed: float | None, live: Live, stop: Stop) -> None:
        self._speed, self._live, self._stop = speed, live, stop
        self._run_s = self._begin = math.inf
        self._due = -math.inf

    def is_ahead(self) -> bool:
        """Tell whether the run is ahead of the clock, now that something has come."""
        if self._speed is None:
            return False
        now, run_s = time.monotonic(), self._live.run_s
        if run_s < self._run_s:  # the first run, or another one
            self._begin = now - run_s / self._speed
        self._run_s = run_s
        self._due = self._begin + run_s / self._speed
        return self._due > now

    def wait(self) -> None:
        """Sleep until it is so no more."""
        while not self._stop and (left := self._due - time.monotonic()) > 0:
            time.sleep(min(left, _WAIT_S))


class TopicResults:
    """Results in a topic of Kafka."""

    def __init__(self, url: KafkaUrl, kafka: KafkaOptions, tell: Tell) -> None:
        """Take the topic, and how to deal with its brokers."""
        self._url, self._kafka, self._tell = url, kafka, tell

    def run(self, live: Live, stop: Stop) -> str:
        """Show what the topic holds, and what it gets, until told to stop.

        A topic that is deleted, made anew or gets partitions is opened again, and read from
        its beginning: windows that were shown already count once.
        """
        while source := self._opened(live, stop):
            try:
                self._show(source, live, stop)
            except SourceLostError as exc:
                event = Event(kind=EventKind.REOPENED, detail=str(exc))
                self._tell(event)
                live.tell(Progress(notes=[describe(event)]), time.time())
            finally:
                source.close()
        return _TOLD_TO_STOP

    def _show(self, source: BoundedReader, live: Live, stop: Stop) -> None:
        backlog = _Backlog()
        opened, next_tell, trouble = time.time(), 0.0, ""
        while not stop:
            there = not backlog.done  # before anybody looked: its age is that of its publication
            found = backlog.sorted(source.fetch(), source.front())
            for published_s, value in found:
                live.take(value, published_s, published_s if there else math.inf)
            notes = [source.trouble] if source.trouble and not trouble else []
            trouble = source.trouble
            if found or notes or time.monotonic() >= next_tell:
                came = found[-1][0] if found else 0.0
                came = came if came >= opened else time.time()  # what was there is not late
                live.tell(Progress(sources=partitions_of(source), notes=notes), came)
                next_tell = time.monotonic() + _TELL_S

    def _opened(self, live: Live, stop: Stop) -> BoundedReader | None:
        """Return the topic, once it is there; None if it was told to stop before."""
        noted = False
        while not stop:
            try:
                return open_bounded(self._url, self._kafka, Begin(group=GROUP))
            except SourceNotFoundError:
                if not noted:
                    event = Event(kind=EventKind.TOPIC_AWAITED, where=str(self._url))
                    live.tell(Progress(notes=[describe(event)]), time.time())
                noted = True
            time.sleep(_WAIT_S)
        return None


class _Backlog:
    """Puts what was in a topic in the order of publication, which partitions do not have in common.

    A message waits until all partitions have come as far, or are read to their ends; once
    all are, nothing waits any more.
    """

    def __init__(self) -> None:
        self.done = False
        """Whether all partitions were read to their ends."""
        self._waiting: list[tuple[float, bytes]] = []
        self._newest: dict[int, float] = {}

    def sorted(self, fetched: Sequence[Messages], front: Front) -> list[tuple[float, bytes]]:
        """Return what need not wait: when each message was published, s, and what it holds."""
        for messages in fetched:
            times = [ms / 1e3 for ms in messages.times_ms]
            self._waiting += zip(times, messages.values, strict=True)
            self._newest[messages.partition] = times[-1]
        self._waiting.sort(key=itemgetter(0))
        unread = [p for p in front.ends if not front.caught_up(p)]
        self.done = self.done or not unread
        if self.done or sum(len(value) for _, value in self._waiting) > _BACKLOG_BYTES:
            until = math.inf
        else:
            until = min(self._newest.get(p, -math.inf) for p in unread)
        come = bisect_right(self._waiting, until, key=itemgetter(0))
        found, self._waiting = self._waiting[:come], self._waiting[come:]
        return found


class ArchivedRuns:
    """Runs of an archive, one after the other."""

    def __init__(self, found: ArchivedResults) -> None:
        """Take the runs."""
        self._found = found

    def run(self, live: Live, stop: Stop) -> str:
        """Show what the archive has now; it is not followed."""
        next_tell = 0.0
        for result, message, at in self._found.told():
            live.take_window(result, message, at)
            if time.monotonic() >= next_tell:
                live.tell(Progress(), time.time())
                next_tell = time.monotonic() + _TELL_S
            if stop:
                return _TOLD_TO_STOP
        live.tell(Progress(at_rest=True), time.time())
        return "the archive is shown as it was when it was opened"
