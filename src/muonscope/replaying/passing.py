"""A look at words on their way from a source to elsewhere: what is doubtful is told."""

from dataclasses import replace

from muonscope.counting.doubts import Counts, Doubter, Tally, nothing_decoded
from muonscope.detector import Detector
from muonscope.errors import FormatError
from muonscope.events import Tell
from muonscope.intake.batch import WordBatch
from muonscope.words.rejects import Rejects

__all__ = ["Passing"]


class Passing:
    """Looks at the batches of a source; they are counted by kind, not in windows."""

    def __init__(self, detector: Detector, tell: Tell) -> None:
        """Begin before the first batch; ``tell`` takes what is doubtful."""
        self._tally, self._doubter, self._tell = Tally(detector), Doubter(detector), tell
        self.rejects = Rejects()
        self._words = 0
        self._bytes: dict[str, int] = {}

    def take(self, batch: WordBatch) -> None:
        """Look at a batch; tell a doubt when it arises."""
        self.rejects.add(batch.rejects)
        self._words += len(batch.words)
        self._tally.take(batch.words)
        self._doubter.sample(batch.words, batch.guess.format if batch.guess else "")
        self._bytes |= {key: position.bytes_in for key, position in batch.positions.items()}
        if self._doubter.is_due(self._words):
            for doubt in self._doubter.look(self._counts(), self.rejects):
                self._tell(doubt)

    def end(self) -> None:
        """Tell what is doubtful in all that came.

        Raises
        ------
        FormatError
            If nothing could be decoded.
        """
        if self.rejects.total and not self._words:
            raise FormatError(nothing_decoded(self.rejects))
        for doubt in self._doubter.conclude(self._counts(), self.rejects):
            self._tell(doubt)

    def _counts(self) -> Counts:
        return replace(
            self._tally.counts(),
            bytes_in=sum(self._bytes.values()),
            bytes_rejected=self.rejects.bytes_rejected,
            rejects={code.name: n for code, n in self.rejects.count.items()},
        )
