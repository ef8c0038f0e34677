"""Streams of bytes (files, objects, standard input) to batches of words.

Each stream has a decoder of its own. Here it is decided when a stream has ended, whether it
may grow, and from where it can go on after a restart.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from typing import Any, BinaryIO

from muonscope.detector import Readout
from muonscope.errors import AccountingError, FormatError, SinkError
from muonscope.intake.batch import Checkpoint, WordBatch
from muonscope.intake.checkpoints import Checkpoints
from muonscope.transports.base import ByteSource, FilePosition, Piece
from muonscope.words.codec import Decoded, joined
from muonscope.words.decode import StreamDecoder, decode
from muonscope.words.detect import PARQUET_MAGIC
from muonscope.words.rejects import Reject, RejectCode

__all__ = ["StreamIntake", "StreamPosition"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPosition:
    """How far one stream of bytes has been taken in."""

    name: str
    file: FilePosition
    bytes_in: int = 0
    """Bytes after decompression that were decoded or rejected."""
    decoder: dict[str, Any] = field(default_factory=dict)
    """State of its decoder."""
    left: tuple[tuple[str, int], ...] = ()
    """Codes and lengths of what was rejected at its end, to be taken back if it grows."""
    taken: int = 0
    """Words that follow and are taken already: streams side by side go on within a batch."""

    @property
    def read(self) -> int:
        """Raw bytes that were read."""
        return self.file.read

    @property
    def ended(self) -> bool:
        """Whether it was read to an end."""
        return self.file.ended

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "name": self.name,
            "place": asdict(self.file),
            "bytes_in": self.bytes_in,
            "decoder": self.decoder,
            "left": self.left,
            "taken": self.taken,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "StreamPosition":
        """Return what :meth:`as_json` gave."""
        return cls(
            name=value["name"],
            file=FilePosition(**value["place"]),
            bytes_in=value["bytes_in"],
            decoder=value["decoder"],
            left=tuple((code, length) for code, length in value["left"]),
            taken=value.get("taken", 0),
        )


class StreamIntake:
    """Decodes the streams of a source one piece at a time, each with its own decoder.

    ``stop`` is asked before every piece. Batches are marked for a snapshot as
    ``checkpoints`` says, and so is the last moment before streams are taken to be complete.
    A stream that ended may grow all the same: its decoder stays as it was before its end.
    """

    def __init__(
        self,
        source: ByteSource,
        readout: Readout,
        *,
        positions: Mapping[str, StreamPosition] | None = None,
        stop: Callable[[], bool] = lambda: False,
        checkpoints: Checkpoints | None = None,
        grows: bool = False,
    ) -> None:
        """Go on from ``positions``; ``grows`` says that ended streams may go on."""
        self._source, self._readout, self._stop = source, readout, stop
        self._positions = dict(positions or {})
        self._decoders: dict[str, StreamDecoder] = {}
        self._spools: dict[str, BinaryIO] = {}
        self._checkpoints = checkpoints or Checkpoints(time.monotonic, wanted=False)
        self._first: dict[str, bytes] = {}
        self._read: dict[str, int] = {}
        self._ended: dict[str, Piece] = {}
        self._last: dict[str, Piece] = {}
        self._origins: dict[str, StreamPosition] = {}
        self._grows, self.closing = grows, False

    def batches(self) -> Iterator[WordBatch]:
        """Yield the words of all pieces.

        What a stream leaves over at its end is decoded when the next one begins, or, in
        ``final`` batches, when the source has nothing more.
        """
        for piece in self._source.pieces():
            if piece.error:
                yield WordBatch(stream=piece.key, error=piece.error)
                if piece.key in self._last:
                    self._ended[piece.key] = replace(self._last[piece.key], ended=True)
            elif piece.idle:
                yield WordBatch(checkpoint=self._checkpoint_due())
            else:
                yield from self._take(piece)
            if self._stop():
                if self._checkpoints.wanted:
                    return
                self._ended |= self._last
                break
        self.closing = True
        # Only here can a run save streams that it does not take to be complete.
        yield WordBatch(checkpoint=Checkpoint(int(self._checkpoints.wanted)))
        yield from self._end_all()

    def _take(self, piece: Piece) -> Iterator[WordBatch]:
        if piece.key not in self._origins:
            self._origins[piece.key] = self._positions.get(piece.key) or _origin(piece)
        if piece.data:
            self._last[piece.key] = piece
            self._ended.pop(piece.key, None)
            yield from self._end_all()
            yield from self._decode(piece)
        if piece.ended:
            self._ended[piece.key] = piece
            self._last.pop(piece.key, None)
            if piece.beside and not self._grows:  # others may wait for its last words
                yield from self._end_all()

    def begins_at(self, key: str) -> StreamPosition:
        """Return where a stream began in this run."""
        return self._origins[key]

    def _decode(self, piece: Piece) -> Iterator[WordBatch]:
        key, data = piece.key, self._first.pop(piece.key, b"") + piece.data
        new = key not in self._decoders
        if new and key not in self._spools and len(data) == piece.read:
            if len(data) < len(PARQUET_MAGIC):
                self._first[key] = data
                return
            if data.startswith(PARQUET_MAGIC):
                if key in self._positions and not self._positions[key].left:
                    error = FormatError(f"{piece.name}: a Parquet file that changed when read")
                    yield WordBatch(stream=key, error=error)
                    return
                yield from self._take_back(key)
                self._spools[key] = tempfile.TemporaryFile()  # noqa: SIM115 lives on
        if key in self._spools:
            try:
                self._spools[key].write(data)
            except OSError as exc:
                raise SinkError(f"temporary file: cannot be written: {exc.strerror}") from exc
            return
        if not new and piece.read - len(data) < self._read.get(key, 0):
            del self._decoders[key]  # it is read again from an earlier place
        decoder = self._decoder(piece)
        self._read[key] = piece.read
        yield from self._take_back(key)
        for part in decoder.feed_in_parts(data):
            yield self._batch(replace(piece, ended=False), part, decoder)

    def _take_back(self, key: str) -> Iterator[WordBatch]:
        """Take back what was rejected at an end that was none."""
        if key in self._positions and self._positions[key].left:
            yield WordBatch(taken_back=self._positions[key].left)
            self._positions[key] = replace(self._positions[key], left=())

    def _end_all(self) -> Iterator[WordBatch]:
        """Decode what ended streams leave over."""
        ended, self._ended = self._ended, {}
        for key, piece in ended.items():
            if key in self._spools:
                yield from self._end_parquet(piece)
                continue
            decoder = self._decoder(piece)
            for part in decoder.feed_in_parts(self._first.pop(key, b"")):
                yield self._batch(replace(piece, ended=False), part, decoder)
            yield self._end(piece, decoder)

    def _end(self, piece: Piece, decoder: StreamDecoder) -> WordBatch:
        """Return what a stream leaves over, and keep its decoder as it was before, to go on.

        A compressed one has no copy: if it grows, it is read again from its start.
        """
        twin = decoder.compression is None and self._grows
        settled = decoder.settle()
        last = deepcopy(decoder) if twin else self._decoders.pop(piece.key)
        before = self._batch(piece, settled, decoder)
        rest = last.finish()
        if last.position != last.bytes_in:
            raise AccountingError(
                f"{piece.name}: {last.bytes_in} bytes came in,"
                f" {last.position} were decoded or rejected"
            )
        left = tuple((reject.code.name, reject.length) for reject in rest.rejects)
        decoded = joined([settled, rest])
        position = replace(self._positions[piece.key], bytes_in=last.position, left=left)
        self._positions[piece.key] = position
        return replace(
            before,
            words=decoded.words,
            rejects=_named(decoded.rejects, piece.name),
            positions={piece.key: position},
            guess=last.guess,
        )

    def _batch(self, piece: Piece, decoded: Decoded, decoder: StreamDecoder) -> WordBatch:
        file = FilePosition(
            restart=decoder.restart, read=piece.read, mark=piece.mark, ended=piece.ended,
            stream=piece.stream,
        )  # fmt: skip
        position = StreamPosition(
            name=piece.name, file=file, bytes_in=decoder.position, decoder=decoder.state()
        )
        self._positions[piece.key] = position
        return WordBatch(
            words=decoded.words,
            rejects=_named(decoded.rejects, piece.name),
            stream=piece.key,
            positions={piece.key: position},
            guess=decoder.guess,
            compression=decoder.compression,
            final=self.closing,
            checkpoint=self._checkpoint_due(),
        )

    def _decoder(self, piece: Piece) -> StreamDecoder:
        key = piece.key
        if key not in self._decoders:
            known = self._positions.get(key)
            self._decoders[key] = StreamDecoder(self._readout)
            self._decoders[key].resume(known.decoder if known else piece.resume)
        return self._decoders[key]

    def _end_parquet(self, piece: Piece) -> Iterator[WordBatch]:
        """Read a Parquet stream from the temporary file that kept it, now that it is whole."""
        spool = self._spools.pop(piece.key)
        size, error, decoder = spool.tell(), None, StreamDecoder(self._readout)
        spool.seek(0)
        try:
            for decoded in decode(spool, decoder):
                yield WordBatch(
                    words=decoded.words,
                    rejects=_named(decoded.rejects, piece.name),
                    stream=piece.key,
                    guess=decoder.guess,
                    final=self.closing,
                )
        except FormatError as exc:
            error = FormatError(f"{piece.name}: {exc}")
        spool.close()
        file = FilePosition(
            restart=0, read=piece.read, mark=piece.mark, ended=True, stream=piece.stream
        )
        rejects = [] if error is None else [_whole(piece.name, size, error)]
        left = tuple((reject.code.name, reject.length) for reject in rejects)
        position = StreamPosition(name=piece.name, file=file, bytes_in=size, left=left)
        self._positions[piece.key] = position
        yield WordBatch(
            rejects=rejects,
            stream=piece.key,
            positions={piece.key: position},
            guess=decoder.guess,
            error=error,
            final=self.closing,
        )

    def _checkpoint_due(self) -> Checkpoint:
        if self.closing or self._spools:  # what a spool holds is in no state
            return Checkpoint.NO
        return self._checkpoints.due()


def _origin(piece: Piece) -> StreamPosition:
    """Return where a stream begins that begins with ``piece``."""
    file = FilePosition(
        restart=piece.read - len(piece.data), read=0, mark=0, ended=False, stream=piece.stream
    )
    return StreamPosition(name=piece.name, file=file, decoder=dict(piece.resume))


def _named(rejects: list[Reject], name: str) -> list[Reject]:
    return [replace(reject, where=name) for reject in rejects]


def _whole(name: str, size: int, error: FormatError) -> Reject:
    return Reject(
        code=RejectCode.UNKNOWN_FORMAT,
        offset=0,
        length=size,
        evidence=str(error).encode(),
        where=name,
    )
