"""A topic in memory: what senders leave in its partitions, given in any interleaving."""

import random
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from muonscope.detector import shipped_detector
from muonscope.stream.messages import Messages
from muonscope.stream.numbering import KEY_ORBITS, Number, split_by_orbits
from muonscope.stream.ordering import Front
from muonscope.transports.base import PartitionPosition
from muonscope.words.binary import BlockEncoder
from muonscope.words.layout import Words, orbits, pack_hits
from muonscope.words.text_encode import TextEncoder

__all__ = ["READOUT", "Message", "Topic", "TopicSource", "columns", "runs_of", "scattered_words"]

READOUT = shipped_detector("legnaro").readout


def runs_of(*runs: tuple[int, int]) -> bytes:
    """Return the starts and lengths of runs as a record header has them."""
    return np.array(runs, "<u2").tobytes()


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a partition."""

    value: bytes
    header: bytes | None = None
    time_ms: int = 0
    first: int = -1
    """Number of the first word of its chunk, for a sender that crashes."""


def scattered_words(n: int, seed: int, *, keys: int = 3) -> Words:
    """Return hits, all different, whose orbits go back and forth between some blocks."""
    rng = np.random.default_rng(seed)
    at = rng.integers(0, keys, n).repeat(rng.integers(1, 9, n))[:n] * KEY_ORBITS
    count = np.arange(n)
    return pack_hits(
        2, count % 2, count % 128, at + rng.integers(0, KEY_ORBITS, n), count % 3564, 1
    )


@dataclass(slots=True)
class Topic:
    """The partitions, each a list of messages."""

    partitions: list[list[Message]]
    base: int = 0
    """First offset of every partition."""
    step: int = 1
    """Offsets from message to message: transactions leave holes."""

    @classmethod
    def empty(cls, partitions: int, *, base: int = 0, step: int = 1) -> "Topic":
        """Return a topic without messages."""
        return cls([[] for _ in range(partitions)], base, step)

    def send_blocks(
        self, words: Words, cuts: Sequence[int], *, stream: int = 1, first: int = 0
    ) -> None:
        """Send packed blocks, as a chunk what is between two cuts."""
        encoder = BlockEncoder(READOUT, "legnaro")
        places = orbits(words, READOUT.version, READOUT.hit_head)
        for a, b in pairwise([0, *sorted(cuts), len(words)]):
            for piece in split_by_orbits(words[a:b], places[a:b], stream, first + a):
                partition = zlib.crc32(piece.key.to_bytes(4, "big")) % len(self.partitions)
                message = Message(encoder.encode(piece.words), piece.number.pack(), first=first + a)
                self.partitions[partition].append(message)

    def send_json(
        self, words: Words, *, stream: int = 1, first: int = 0, run: int = 5, numbered: bool = True
    ) -> None:
        """Send a hit per message; ``run`` hits in a row go to one partition."""
        lines = TextEncoder(READOUT, json=True).encode(words).splitlines()
        for at, line in enumerate(lines, first):
            header = Number(stream, at, 1).pack() if numbered else None
            message = Message(line, header, time_ms=at, first=at)
            self.partitions[at // run % len(self.partitions)].append(message)

    def lose(self, acknowledged: int, begun: Sequence[int], rng: random.Random) -> None:
        """Crash the sender: of what is not ``acknowledged`` each partition has a beginning.

        ``begun`` is how many messages each partition held before.
        """
        for partition, before in zip(self.partitions, begun, strict=True):
            kept = next(
                (i for i in range(before, len(partition)) if partition[i].first >= acknowledged),
                len(partition),
            )
            del partition[rng.randint(kept, len(partition)) :]

    def sizes(self) -> list[int]:
        """Return how many messages each partition has."""
        return [len(partition) for partition in self.partitions]

    def offset(self, index: int) -> int:
        """Return the offset of a message by its index."""
        return self.base + index * self.step

    def ends(self) -> dict[int, int]:
        """Return the next offset of each partition."""
        return {p: self.offset(len(some)) for p, some in enumerate(self.partitions)}


def columns(partition: int, offsets: Sequence[int], messages: Sequence[Message]) -> Messages:
    """Return messages as columns."""
    return Messages(
        partition=partition,
        offsets=list(offsets),
        values=[message.value for message in messages],
        headers=[message.header for message in messages],
        times_ms=[message.time_ms for message in messages],
    )


@dataclass(slots=True)
class TopicSource:
    """Gives a few messages of some partitions at a time; ends with the topic."""

    topic: Topic
    known: Mapping[int, PartitionPosition] = field(default_factory=dict)
    seed: int = 0
    most: int = 4
    """Most messages of a partition at once."""
    lasting: bool = False
    """Never ends."""
    name: str = "kafka://memory/topic"
    mark: int = 7
    held: list[int] = field(default_factory=list)
    partitions: int = field(init=False)
    reached: dict[int, int] = field(init=False)
    rng: random.Random = field(init=False)
    fetches: int = 0

    def __post_init__(self) -> None:
        self.partitions = len(self.topic.partitions)
        self.reached = dict.fromkeys(range(self.partitions), self.topic.base)
        self.reached |= {p: place.offset for p, place in self.known.items()}
        for p in self.reached:
            self._note_end(p)
        self.rng = random.Random(self.seed)

    def fetch(self) -> list[Messages]:
        self.fetches += 1
        left = [
            p
            for p, end in self.topic.ends().items()
            if self.reached[p] < end and p not in self.held
        ]
        chosen = self.rng.sample(left, self.rng.randint(1, len(left))) if left else []
        return [self._some(p, self.rng.randint(1, self.most)) for p in chosen]

    def _some(self, p: int, most: int) -> Messages:
        begin = self._index(p)
        some = self.topic.partitions[p][begin : begin + most]
        offsets = [self.topic.offset(begin + i) for i in range(len(some))]
        self.reached[p] = offsets[-1] + 1
        self._note_end(p)
        return columns(p, offsets, some)

    def _index(self, p: int) -> int:
        return -(-(self.reached[p] - self.topic.base) // self.topic.step)

    def _note_end(self, p: int) -> None:
        """Pass over a hole at the end."""
        if self._index(p) >= len(self.topic.partitions[p]):
            self.reached[p] = self.topic.ends()[p]

    def front(self) -> Front:
        return Front(dict(self.reached), self.topic.ends())

    def ended(self) -> bool:
        return not self.lasting and self.reached == self.topic.ends()

    def hold(self, partitions: list[int]) -> None:
        self.held = list(partitions)

    def expired(self) -> int:
        return 0


def mixed_in(topic: Topic, values: Sequence[bytes], rng: random.Random) -> Topic:
    """Return ``topic`` with messages without a number put in anywhere."""
    partitions = [list(some) for some in topic.partitions]
    for value in values:
        some = rng.choice(partitions)
        some.insert(rng.randint(0, len(some)), Message(value))
    return replace(topic, partitions=partitions)
