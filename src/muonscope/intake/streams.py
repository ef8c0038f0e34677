"""Taking streams in: the pieces of a source to batches of words, each stream by its decoder.

Here it is decided when a stream has ended, whether it may grow, and from where it can go
on after a restart.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import BinaryIO

from muonscope.detector import Readout
from muonscope.errors import AccountingError, FormatError, SinkError
from muonscope.intake.batch import Batch, Checkpoint, Stream, Token
from muonscope.transports.base import Piece, Place, Source
from muonscope.words.codec import Decoded
from muonscope.words.decode import StreamDecoder, decode
from muonscope.words.detect import PARQUET_MAGIC
from muonscope.words.rejects import Reject, RejectCode

__all__ = ["Intake"]

_CHECKPOINT_S = 1.0


class Intake:
    """Decodes the streams of a source one piece at a time, each with its own decoder.

    ``stop`` is asked before every piece; ``checkpoints`` marks about one batch a second
    for a snapshot, and the last moment before streams are taken to be complete. A stream
    that ended may grow all the same: its decoder stays as it was before its end.
    """

    def __init__(
        self,
        source: Source,
        readout: Readout,
        *,
        streams: Mapping[str, Stream] | None = None,
        stop: Callable[[], bool] = lambda: False,
        checkpoints: bool = False,
        grows: bool = False,
    ) -> None:
        """Go on from ``streams``; ``grows`` says that ended streams may go on."""
        self._source, self._readout, self._stop = source, readout, stop
        self._streams = dict(streams or {})
        self._decoders: dict[str, StreamDecoder] = {}
        self._spools: dict[str, BinaryIO] = {}
        self._checkpoints, self._next_checkpoint = checkpoints, time.monotonic() + _CHECKPOINT_S
        self._first: dict[str, bytes] = {}
        self._read: dict[str, int] = {}
        self._ended: dict[str, Piece] = {}
        self._last: dict[str, Piece] = {}
        self._grows, self._closing = grows, False

    def batches(self) -> Iterator[Batch[Token]]:
        """Yield the words of all pieces.

        What a stream leaves over at its end is decoded when the next one begins, or, with
        ``final`` tokens, when the source has nothing more.
        """
        for piece in self._source.pieces():
            if piece.error:
                yield Batch(Decoded(), Token(key=piece.key, error=piece.error))
                if piece.key in self._last:
                    self._ended[piece.key] = replace(self._last[piece.key], ended=True)
            elif piece.idle:
                yield Batch(Decoded(), Token(), checkpoint=self._checkpoint_due())
            else:
                yield from self._take(piece)
            if self._stop():
                if self._checkpoints:
                    return
                self._ended |= self._last
                break
        self._closing = True
        yield Batch(Decoded(), Token(), checkpoint=Checkpoint(int(self._checkpoints)))
        yield from self._end_all()

    def _take(self, piece: Piece) -> Iterator[Batch[Token]]:
        if piece.data:
            self._last[piece.key] = piece
            self._ended.pop(piece.key, None)
            yield from self._end_all()
            yield from self._decode(piece)
        if piece.ended:
            self._ended[piece.key] = piece
            self._last.pop(piece.key, None)

    def _decode(self, piece: Piece) -> Iterator[Batch[Token]]:
        key, data = piece.key, self._first.pop(piece.key, b"") + piece.data
        new = key not in self._decoders
        if new and key not in self._spools and len(data) == piece.read:
            if len(data) < len(PARQUET_MAGIC):
                self._first[key] = data
                return
            if data.startswith(PARQUET_MAGIC):
                if key in self._streams and not self._streams[key].left:
                    error = FormatError(f"{piece.name}: a Parquet file that changed when read")
                    yield Batch(Decoded(), Token(key=key, error=error))
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
            del self._decoders[key]
        decoder = self._decoder(key)
        self._read[key] = piece.read
        yield from self._take_back(key)
        for part in decoder.feed_in_parts(data):
            yield self._batch(replace(piece, ended=False), part, decoder)

    def _take_back(self, key: str) -> Iterator[Batch[Token]]:
        """Take back what was rejected at an end that was none."""
        if key in self._streams and self._streams[key].left:
            yield Batch(Decoded(), Token(taken_back=self._streams[key].left))
            self._streams[key] = replace(self._streams[key], left=())

    def _end_all(self) -> Iterator[Batch[Token]]:
        """Decode what ended streams leave over."""
        ended, self._ended = self._ended, {}
        for key, piece in ended.items():
            if key in self._spools:
                yield from self._end_parquet(piece)
                continue
            decoder = self._decoder(key)
            for part in decoder.feed_in_parts(self._first.pop(key, b"")):
                yield self._batch(replace(piece, ended=False), part, decoder)
            yield self._end(piece, decoder)

    def _end(self, piece: Piece, decoder: StreamDecoder) -> Batch[Token]:
        """Return what a stream leaves over, and keep its decoder as it was before, to go on.

        A compressed one has no copy: if it grows, it is read again from its start.
        """
        twin = decoder.compression is None and self._grows
        last = deepcopy(decoder) if twin else self._decoders.pop(piece.key)
        before = self._batch(piece, Decoded(), decoder)
        rest = last.finish()
        if last.position != last.bytes_in:
            raise AccountingError(
                f"{piece.name}: {last.bytes_in} bytes came in,"
                f" {last.position} were decoded or rejected"
            )
        assert before.token.stream
        left = tuple((reject.code.name, reject.length) for reject in rest.rejects)
        stream = replace(before.token.stream, bytes_in=last.position, left=left)
        self._streams[piece.key] = stream
        token = replace(before.token, stream=stream, guess=last.guess)
        return Batch(_named(rest, piece.name), token, checkpoint=before.checkpoint)

    def _batch(self, piece: Piece, decoded: Decoded, decoder: StreamDecoder) -> Batch[Token]:
        place = Place(restart=decoder.restart, read=piece.read, mark=piece.mark, ended=piece.ended)
        stream = Stream(
            name=piece.name, place=place, bytes_in=decoder.position, decoder=decoder.state()
        )
        self._streams[piece.key] = stream
        token = Token(
            key=piece.key,
            stream=stream,
            guess=decoder.guess,
            compression=decoder.compression,
            final=self._closing,
        )
        return Batch(_named(decoded, piece.name), token, checkpoint=self._checkpoint_due())

    def _decoder(self, key: str) -> StreamDecoder:
        if key not in self._decoders:
            self._decoders[key] = StreamDecoder(self._readout)
            if key in self._streams:
                self._decoders[key].resume(self._streams[key].decoder)
        return self._decoders[key]

    def _end_parquet(self, piece: Piece) -> Iterator[Batch[Token]]:
        """Read a Parquet stream from the temporary file that kept it, now that it is whole."""
        spool = self._spools.pop(piece.key)
        size, error, decoder = spool.tell(), None, StreamDecoder(self._readout)
        spool.seek(0)
        try:
            for decoded in decode(spool, decoder):
                yield Batch(
                    _named(decoded, piece.name),
                    Token(key=piece.key, guess=decoder.guess, final=self._closing),
                )
        except FormatError as exc:
            error = FormatError(f"{piece.name}: {exc}")
        spool.close()
        place = Place(restart=0, read=piece.read, mark=piece.mark, ended=True)
        rejects = [] if error is None else [_whole(piece.name, size, error)]
        left = tuple((reject.code.name, reject.length) for reject in rejects)
        stream = Stream(name=piece.name, place=place, bytes_in=size, left=left)
        self._streams[piece.key] = stream
        token = Token(
            key=piece.key, stream=stream, guess=decoder.guess, error=error, final=self._closing
        )
        yield Batch(Decoded(rejects=rejects), token)

    def _checkpoint_due(self) -> Checkpoint:
        wanted = self._checkpoints and not self._closing and not self._spools
        if not wanted or time.monotonic() < self._next_checkpoint:
            return Checkpoint.NO
        self._next_checkpoint = time.monotonic() + _CHECKPOINT_S
        return Checkpoint.YES


def _named(decoded: Decoded, name: str) -> Decoded:
    return Decoded(decoded.words, [replace(reject, where=name) for reject in decoded.rejects])


def _whole(name: str, size: int, error: FormatError) -> Reject:
    return Reject(
        code=RejectCode.UNKNOWN_FORMAT,
        offset=0,
        length=size,
        evidence=str(error).encode(),
        where=name,
    )
