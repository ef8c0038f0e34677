"""The feed of a dashboard that counts words here, in a thread of its own."""

import time
from collections import deque
from collections.abc import Iterator, Sequence

from muonscope import kernels
from muonscope.counting.counter import Counter
from muonscope.counting.doubts import nothing_decoded
from muonscope.dashboard.live import Live, Progress
from muonscope.dashboard.options import DashboardOptions
from muonscope.errors import FormatError
from muonscope.events import Event, Tell
from muonscope.intake.batch import WordBatch, WordSource
from muonscope.intake.find_results import GROUP
from muonscope.intake.pace import Paced
from muonscope.processing.inputs import Watch, open_input
from muonscope.processing.options import ProcessOptions
from muonscope.processing.outputs import Output
from muonscope.processing.plan import Plan, plan_of
from muonscope.processing.run import Run, Status
from muonscope.results.read_message import WindowResult
from muonscope.stopping import Stop
from muonscope.transports.base import Published
from muonscope.transports.ledgers import StatelessLedger
from muonscope.wording import describe

__all__ = ["WordFeed", "word_plan"]

_TELL_S = 0.5
_TOLD_TO_STOP = "it was told to stop"


def word_plan(options: DashboardOptions, stop: Stop, tell: Tell) -> Plan:
    """Return how the words of a dashboard are to be processed.

    Raises
    ------
    OptionError
        If an option makes no sense.
    """
    asked = ProcessOptions(
        sources=options.sources, detector=options.detector, run=options.run,
        window=options.window, follow=options.follow, kafka_config=options.kafka_config,
        no_wait=options.no_wait, allow_duplicates=options.allow_duplicates,
        condition=options.condition, without=options.without,
    )  # fmt: skip
    return plan_of(asked, stop, tell, group=GROUP)


class WordFeed:
    """Counts words, as ``process`` does, and keeps the results."""

    def __init__(self, plan: Plan, speed: float | None, tell: Tell) -> None:
        """Take what to process; ``speed`` is the pace, without one as fast as it goes."""
        self._plan, self._speed, self._tell = plan, speed, tell

    def run(self, live: Live, stop: Stop) -> str:
        """Process the source to its end."""
        plan = self._plan
        self._load_kernels(live)
        output = Output(ledger=_LiveLedger(live, plan))
        with open_input(plan, output, stop) as source:
            words: WordSource = source.words
            if self._speed is not None:
                words = Paced(words, plan.detector.readout, self._speed, stop)
            timed = _Timed(words)
            counter = Counter(plan.detector, plan.spec, plan.blocks)
            run = Run(plan.name, timed, counter, output, conditions=plan.conditions)
            found = source.watch.events()  # of files, before the first is read
            for event in found:
                self._tell(event)
            teller = _Teller(live, run, source.watch, timed, found)
            for status in run.steps():
                teller.tell(status)
            if stop:
                return _TOLD_TO_STOP
            run.doubt(run.finish())
            teller.end()
        if run.errors:
            raise run.errors[0]
        if run.rejects.total and not run.windows:
            raise FormatError(nothing_decoded(run.rejects))
        return f"the source has come to its end: all of its {run.windows:,} windows are shown"

    def _load_kernels(self, live: Live) -> None:
        """Load the kernels, without waiting for a compiler where plain Python is enough."""

        def tell(event: Event) -> None:
            self._tell(event)
            live.expect(describe(event))

        needed = self._plan.kernels
        if self._speed is not None and kernels.Purpose.SIMULATION in needed:
            kernels.plain_first(needed, tell=self._tell)
        else:
            kernels.load(needed, tell=tell)
            live.expect("")


class _LiveLedger(StatelessLedger):
    """Gives what a run publishes to a dashboard; nothing is kept."""

    def __init__(self, live: Live, plan: Plan) -> None:
        self._live, self._plan = live, plan

    def publish(self, messages: Sequence[Published]) -> None:
        for message in messages:
            if message.window is None:
                self._live.take(message.data)
            else:
                window = WindowResult.of(message.window(), self._plan.name, self._plan.conditions)
                self._live.take_window(window, message.data)


class _Timed:
    """Gives the batches of another, and remembers when each came."""

    def __init__(self, inner: WordSource) -> None:
        self._inner = inner
        self._words = 0
        self._came: deque[tuple[int, float]] = deque()

    def batches(self) -> Iterator[WordBatch]:
        for batch in self._inner.batches():
            self._words += len(batch.words)
            self._came.append((self._words, time.time()))
            yield batch

    def came(self, words: int) -> float:
        """Return when the batch came that makes it ``words`` words in all."""
        came = time.time()
        while self._came and self._came[0][0] <= words:
            came = self._came.popleft()[1]
        return came


class _Teller:
    """Tells a dashboard how far a run is: when windows have closed, and now and then."""

    def __init__(
        self, live: Live, run: Run, watch: Watch, timed: _Timed, found: Sequence[Event]
    ) -> None:
        self._live, self._run, self._watch, self._timed = live, run, watch, timed
        self._windows, self._next = 0, 0.0
        self._notes = list(map(describe, found))
        self._status: Status | None = None

    def tell(self, status: Status) -> None:
        self._status = status
        self._notes += map(describe, [*status.events, *self._watch.events()])
        came, now = self._timed.came(status.words), time.monotonic()
        if status.windows > self._windows or now >= self._next:
            self._windows, self._next = status.windows, now + _TELL_S
            self._live.tell(self._progress(status), came)
            self._notes.clear()

    def end(self) -> None:
        if self._status:
            self._notes += map(describe, self._watch.events(last=True))
            self._live.tell(self._progress(self._status), time.time())

    def _progress(self, status: Status) -> Progress:
        run = self._run
        errors = [str(error) for error in run.errors]
        return Progress(
            words=status.words,
            sources=self._watch.standing(run.positions),
            bytes=run.bytes,
            rejects=[*errors, *map(str, run.rejects.latest)],
            notes=list(self._notes),
            doubts=[describe(doubt) for doubt in run.doubts],
        )
