"""Kept messages, read once: who steps through the past reads the same minute again and again."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

from muonscope.counting.block import Block
from muonscope.detector import Detector
from muonscope.results.kept_messages import KeptMessage, unpacked
from muonscope.results.read_message import WindowResult, read_result

__all__ = ["ReadCache"]

_MOST = 128
"""Windows that stay read: two minutes of seconds, some 10 MB."""


class ReadCache:
    """Reads kept messages; may be used from any thread."""

    def __init__(self, detector: Detector, blocks: Sequence[Block]) -> None:
        """Begin with none read."""
        self._detector, self._blocks = detector, tuple(blocks)
        self._read: OrderedDict[bytes, WindowResult] = OrderedDict()
        self._lock = Lock()

    def read(self, kept: KeptMessage) -> WindowResult:
        """Return the window of a message; it takes a millisecond where it was not read before."""
        with self._lock:
            result = self._read.get(kept.packed)
            if result is not None:
                self._read.move_to_end(kept.packed)
                return result
        read = read_result(unpacked(kept), self._detector, self._blocks)
        assert isinstance(read, WindowResult)
        with self._lock:
            self._read[kept.packed] = read
            while len(self._read) > _MOST:
                self._read.popitem(last=False)
        return read
