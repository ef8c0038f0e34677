"""Closed panes of a source of words, with their halo: what tracks are made of."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from muonscope import kernels
from muonscope.counting.panes import Panes
from muonscope.counting.window_spec import WindowSpec
from muonscope.counting.windows import Windower
from muonscope.counting.word_classes import ClassTable, class_table
from muonscope.detector import Detector
from muonscope.errors import OptionError
from muonscope.events import Tell
from muonscope.intake.opening import check_sources, detector_for, open_words
from muonscope.replaying.passing import Passing
from muonscope.stopping import Stop
from muonscope.transports.kafka.options import kafka_options
from muonscope.words.layout import Words

__all__ = ["PaneSource"]

_PANE_S = 1.0


@dataclass(slots=True, kw_only=True)
class PaneSource:
    """Opens sources for reconstruction; counts what it reads."""

    sources: Sequence[str]
    detector: Detector = field(init=False)
    table: ClassTable = field(init=False)
    wanted: str
    """Name or file of the detector; empty where the source tells."""
    kafka_config: str
    allow_duplicates: bool
    tell: Tell
    stop: Stop
    words: int = 0
    rejects: int = 0
    """Pieces that could not be decoded, and are left out."""
    note: Callable[[Words], None] | None = None
    """Gets all words, before the panes in which they are."""

    def __post_init__(self) -> None:
        """Find the detector, and load what reconstruction needs."""
        check_sources(self.sources)
        self.detector = detector_for(self.sources, self.wanted)
        _check(self.detector)
        self.table = class_table(self.detector)
        purposes = kernels.needed_to_count(self.sources) | {kernels.Purpose.TRACKING}
        kernels.load(purposes, tell=self.tell)

    def panes(self) -> Iterator[Panes]:
        """Yield the panes as they close.

        Raises
        ------
        MuonscopeError
            If sources cannot be read, or nothing could be decoded.
        """
        kafka = kafka_options(self.kafka_config, stop=self.stop, tell=self.tell)
        words = open_words(
            self.sources, self.detector, kafka, tell=self.tell,
            allow_duplicates=self.allow_duplicates,
        )  # fmt: skip
        windower = Windower(self.table, WindowSpec(window_s=_PANE_S), halo=True)
        passing = Passing(self.detector, self.tell)
        for batch in words.batches():
            if batch.error:
                raise batch.error
            passing.take(batch)
            self.words += len(batch.words)
            if self.note:
                self.note(batch.words)
            yield windower.push(batch.words, batch.streams)
            if self.stop:
                break
        passing.end()
        self.rejects = passing.rejects.total
        yield windower.finish()


def _check(detector: Detector) -> None:
    layers = {int(layer) for layer in detector.cells().layer}
    if layers != {1, 2, 3, 4}:
        raise OptionError(
            f"detector {detector.name}: found {len(layers)} layers; tracking needs four a chamber"
        )
