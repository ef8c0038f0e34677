"""The words of files that Spark's workers decode, those of side-by-side streams abreast."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from muonscope.detector import Readout
from muonscope.intake.batch import WordBatch
from muonscope.intake.chosen import ChosenFile
from muonscope.intake.streams import StreamPosition
from muonscope.stopping import Stop
from muonscope.stream.abreast import Abreast, Released
from muonscope.stream.messages import Part
from muonscope.transports.base import FilePosition

if TYPE_CHECKING:
    from muonscope.engines.spark.files import Range

__all__ = ["SparkFiles", "interleaved"]


class SparkFiles:
    """The words of files that workers decode."""

    def __init__(
        self, ranges: Sequence["Range"], parts: Callable[[], Iterator[Part]],
        files: Iterable[ChosenFile], readout: Readout, stop: Stop,
    ) -> None:  # fmt: skip
        """Take the ranges of ``files``, and what gives their parts in this order."""
        self._ranges, self._parts, self._readout, self._stop = ranges, parts, readout, stop
        self._streams = {file.name: file.stream for file in files}
        self._after = {file.name: file.after for file in files}

    def batches(self) -> Iterator[WordBatch]:
        """Yield the words of all files: each stream's in order, and all streams abreast."""
        count = 1 + max(self._streams.values())
        if count == 1:
            for _, batch in self._decoded():
                yield batch
            return
        abreast: Abreast[WordBatch] = Abreast(self._readout, count)
        last = {self._streams[task.name]: n for n, task in enumerate(self._ranges)}
        for number, batch in self._decoded():
            abreast.push(self._streams[batch.stream], batch.words, batch, 0.0)
            ended = {stream for stream, n in last.items() if n < number}
            unread = set(range(count)) - ended
            yield from _abreast(abreast.release(unread, ended, -1.0))
        yield from _abreast(abreast.flush())

    def _decoded(self) -> Iterator[tuple[int, WordBatch]]:
        """Yield what was decoded, with the numbers of the ranges."""
        read: dict[str, int] = {}
        for part in self._parts():
            name = self._ranges[part.partition].name
            read[name] = read.get(name, 0) + part.size
            file = FilePosition(restart=0, read=read[name], mark=0, ended=False)
            position = StreamPosition(name=name, file=file, bytes_in=read[name])
            skipped = min(len(part.words), self._after[name])
            self._after[name] -= skipped
            yield (
                part.partition,
                WordBatch(
                    words=part.words[skipped:],
                    rejects=part.rejects,
                    stream=name,
                    positions={name: position},
                ),
            )
            if self._stop:
                return


def _abreast(released: Released[WordBatch] | None) -> Iterator[WordBatch]:
    """Yield words in one order, and the batches whose words are all given."""
    if released is None:
        return
    for taken in released.taken:
        if taken.whole:
            yield replace(taken.item, words=released.words[:0])
    yield WordBatch(words=released.words, streams=released.streams)


def interleaved(ranges: Sequence["Range"], streams: Mapping[str, int]) -> list["Range"]:
    """Return ranges so that all streams come to their ends together, each in its order."""
    total: dict[int, int] = {}
    ends = []
    for task in ranges:
        number = streams[task.name]
        total[number] = total.get(number, 0) + task.end - task.begin
        ends.append(total[number])
    shares = [
        end / max(1, total[streams[task.name]]) for task, end in zip(ranges, ends, strict=True)
    ]
    return [ranges[i] for i in sorted(range(len(ranges)), key=lambda i: shares[i])]
