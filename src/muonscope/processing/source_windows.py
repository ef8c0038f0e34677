"""The windows of any source: results as they are, words as they are counted."""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from muonscope import kernels
from muonscope.counting.counter import Counter
from muonscope.counting.doubts import nothing_decoded
from muonscope.detector import Detector
from muonscope.errors import FormatError
from muonscope.events import Tell
from muonscope.intake.find_results import (
    GROUP,
    Found,
    detector_of_results,
    find_results,
    results_in,
)
from muonscope.processing.export_options import ExportOptions
from muonscope.processing.inputs import open_input
from muonscope.processing.judge_options import JudgeOptions
from muonscope.processing.options import ProcessOptions
from muonscope.processing.outputs import Output
from muonscope.processing.plan import Plan, blocks_without, plan_of
from muonscope.processing.run import Run
from muonscope.results.read_message import Remainder, Result, WindowResult, read_result
from muonscope.results.seen_windows import SeenWindows
from muonscope.stopping import Stop
from muonscope.transports.base import Published
from muonscope.transports.kafka.options import kafka_options
from muonscope.transports.ledgers import StatelessLedger

__all__ = ["SourceWindows"]

_IN_FLIGHT = 64
"""Windows that may come in another order than theirs, as from the partitions of a topic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceWindows:
    """Words or results, and how to count the former."""

    asked: ProcessOptions
    """The sources, and for words all that counting needs; ``run`` is the only run of results."""
    stop: Stop
    tell: Tell
    found: Found | None
    """Results; None where the sources hold words."""
    detector: Detector

    @classmethod
    def of(
        cls,
        options: JudgeOptions | ExportOptions,
        stop: Stop,
        tell: Tell,
        detector: Detector | None = None,
    ) -> "SourceWindows":
        """Look what sources hold; without a ``detector`` they tell it, or the options do.

        Raises
        ------
        SourceError, FormatError
            As :func:`~muonscope.intake.find_results.find_results`.
        DetectorError
            If the detector cannot be read.
        """
        asked = ProcessOptions(
            sources=options.sources, detector=options.detector, run=options.run,
            window=options.window, condition=options.condition, kafka_config=options.kafka_config,
            no_wait=options.no_wait, allow_duplicates=options.allow_duplicates, idle_exit="",
            without=options.without,
        )  # fmt: skip
        kafka = kafka_options(asked.kafka_config, stop=stop, tell=tell, no_wait=asked.no_wait)
        found = find_results(asked.sources, kafka, stop, asked.run)
        known = detector or detector_of_results(found, asked.sources, asked.detector)
        return cls(asked=asked, stop=stop, tell=tell, found=found, detector=known)

    def results(self) -> Iterator[Result]:
        """Yield the windows of each run by epoch and number, each once, and its remainder last.

        Raises
        ------
        MuonscopeError
            If words cannot be read, or results are none of the detector.
        """
        if self.found is None:
            return _in_order(self._counted(), "")
        blocks = blocks_without(self.asked.without)
        read = results_in(self.found, self.detector, blocks, self.stop)
        return _in_order(read, self.asked.run)

    def _counted(self) -> Iterator[Result]:
        """Yield the windows of words."""
        plan = plan_of(self.asked, self.stop, self.tell, group=GROUP)
        plan = replace(plan, detector=self.detector)
        kernels.load(plan.kernels, tell=self.tell)
        kept = _Kept(plan)
        output = Output(ledger=kept)
        with open_input(plan, output, self.stop) as source:
            counter = Counter(self.detector, plan.spec, plan.blocks)
            run = Run(plan.name, source.words, counter, output, conditions=plan.conditions)
            for status in run.steps():
                for event in [*status.events, *source.watch.events()]:
                    self.tell(event)
                yield from kept.results
                kept.results.clear()
                if self.stop:
                    return
            run.doubt(run.finish())
            yield from kept.results
            for event in [*source.watch.events(last=True), *run.doubts]:
                self.tell(event)
        if run.errors:
            raise run.errors[0]
        if run.rejects.total and not counter.words_in:
            raise FormatError(nothing_decoded(run.rejects))


class _Kept(StatelessLedger):
    """Takes what a run publishes, to be judged."""

    def __init__(self, plan: Plan) -> None:
        self._run, self._conditions, self._detector = plan.name, plan.conditions, plan.detector
        self._blocks = plan.blocks
        self.results: list[Result] = []

    def publish(self, messages: Sequence[Published]) -> None:
        for message in messages:
            if message.window is None:
                self.results.append(read_result(message.data, self._detector, self._blocks))
            else:
                window = message.window()
                self.results.append(WindowResult.of(window, self._run, self._conditions))


def _in_order(results: Iterator[Result], only: str) -> Iterator[Result]:
    """Yield the windows of each run by epoch and number, each once, and its remainder last."""
    waiting: list[tuple[tuple[float, float], int, Result]] = []
    run, seen, n = "", SeenWindows(), 0
    for result in results:
        if only and result.run != only:
            continue
        if result.run != run:
            yield from (r for *_, r in sorted(waiting))
            waiting, run, seen = [], result.run, SeenWindows()
        n += 1
        if isinstance(result, Remainder):
            heapq.heappush(waiting, ((math.inf, math.inf), n, result))
        elif seen.is_new(*result.place):
            heapq.heappush(waiting, (result.place, n, result))
        if len(waiting) > _IN_FLIGHT:
            yield heapq.heappop(waiting)[2]
    yield from (r for *_, r in sorted(waiting))
