"""Any bytes to words: compression, format and decoding found out on the way.

:class:`StreamDecoder` takes a stream in pieces of any size and can go on where another
one stopped; :func:`decode` reads a whole open file. The law of bytes holds for both:
``bytes_in = bytes_decoded + bytes_rejected``, counted after decompression.
"""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from muonscope.detector import Readout
from muonscope.errors import FormatError
from muonscope.words.binary import BlockDecoder, DatDecoder
from muonscope.words.bologna import BolognaDecoder
from muonscope.words.codec import Decoded, Decoder, joined
from muonscope.words.compression import MAGIC_BYTES, Decompressor, compression_of
from muonscope.words.detect import PARQUET_MAGIC, PREFIX_BYTES, Guess, guess_format
from muonscope.words.parquet import read_parquet
from muonscope.words.rejects import SLICE_BYTES, Reject, RejectCode, evidence
from muonscope.words.text import CsvDecoder, JsonDecoder

__all__ = ["FORMATS", "StreamDecoder", "decode", "fresh_state"]

FORMATS = ("csv", "json", "bologna", "dat", "dat129", "block", "parquet")
"""Formats that can be read."""


class StreamDecoder:
    """Decodes one stream: a file, an object, standard input."""

    def __init__(self, readout: Readout) -> None:
        """Expect words of ``readout``; everything else is found out."""
        self.readout = readout
        self.guess: Guess | None = None
        """What the stream seems to be; None until enough has been seen."""
        self.compression: str | None = None
        self.bytes_in = 0
        """Bytes after decompression."""
        self._decompressor: Decompressor | None = None
        self._compression_known = False
        self._decoder: Decoder | None = None
        self._first = b""
        self._skip = 0

    @property
    def position(self) -> int:
        """Bytes, after decompression, that are decoded or rejected for good."""
        return self._decoder.position if self._decoder else 0

    @property
    def restart(self) -> int:
        """Where in the raw stream a decoder that resumes must be fed from."""
        return 0 if self.compression else self.position

    def feed(self, data: bytes) -> Decoded:
        """Take the next raw bytes."""
        return joined([Decoded(), *self.feed_in_parts(data)])

    def feed_in_parts(self, data: bytes) -> Iterator[Decoded]:
        """Take the next raw bytes; yield what they give part by part.

        So a few kilobytes that decompress to gigabytes are never in memory at once.
        """
        if not self._compression_known:
            self._first += data
            if len(self._first) < MAGIC_BYTES:
                return
            data, self._first = self._first, b""
            self._find_compression(data)
        if self._decompressor is None:
            yield self._plain(data)
        else:
            yield from map(self._plain, self._decompressor.feed(data))

    def settle(self) -> Decoded:
        """Decode binary words that wait for what follows them; the stream may go on.

        What has been given once is not given again, so this is called before a stream is
        taken to have ended that may grow all the same.
        """
        if self.compression or not self._compression_known:
            return Decoded()
        begun = Decoded()
        if self._decoder is None:
            guess = guess_format(self._first, self.readout, complete=True)
            if guess and guess.format in {"dat", "dat129"}:
                begun = self._begin(complete=True)
        if isinstance(self._decoder, DatDecoder):
            return joined([begun, self._decoder.settle()])
        return begun

    def finish(self) -> Decoded:
        """Take it that no more comes."""
        parts = [Decoded()]
        if not self._compression_known:
            data, self._first = self._first, b""
            self._find_compression(data)
            parts.append(self._plain(data))
        if self._decompressor:
            parts.extend(map(self._plain, self._decompressor.finish()))
        if self._decoder is None:
            parts.append(self._begin(complete=True))
        if self._decoder:
            parts.append(self._decoder.finish())
        if self._decompressor and not self._decompressor.complete:
            damage = self._decompressor.damage or b""
            text = f"{self.compression} stream {'damaged' if damage else 'cut short'}"
            reject = Reject(
                code=RejectCode.BAD_COMPRESSION,
                offset=self.bytes_in,
                length=0,
                evidence=text.encode() + (b" at " + evidence(damage[:32]) if damage else b""),
            )
            parts.append(Decoded(rejects=[reject]))
        return joined(parts)

    def state(self) -> dict[str, Any]:
        """Return what another decoder needs to go on; JSON values."""
        if self.guess is None or self._decoder is None:
            return {}
        return {
            "format": self.guess.format,
            "compression": self.compression,
            "position": self.position,
            "decoder": self._decoder.state(),
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on where the decoder with ``state`` stood; feed from ``restart`` on."""
        if not state:
            return
        self.compression, self._compression_known = state["compression"], True
        position = int(state["position"])
        if self.compression:
            self._decompressor = Decompressor(self.compression)
            self._skip = position
        self.bytes_in = position
        self.guess = Guess(state["format"], 1.0, "resumed")
        self._decoder = _new_decoder(self.guess, self.readout)
        self._decoder.resume(position, state["decoder"])

    def _find_compression(self, data: bytes) -> None:
        self._compression_known = True
        self.compression = compression_of(data)
        if self.compression:
            self._decompressor = Decompressor(self.compression)

    def _plain(self, data: bytes) -> Decoded:
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        self.bytes_in += len(data)
        if self._decoder:
            return self._decoder.feed(data)
        self._first += data
        return self._begin(complete=False)

    def _begin(self, *, complete: bool) -> Decoded:
        """Find out the format if enough is there, and decode what has waited."""
        prefix = self._first[:PREFIX_BYTES]
        self.guess = guess_format(prefix, self.readout, complete=complete)
        if self.guess is None:
            return Decoded()
        self._decoder = _new_decoder(self.guess, self.readout)
        data, self._first = self._first, b""
        return self._decoder.feed(data)


def fresh_state(name: str, compression: str | None, readout: Readout) -> dict[str, Any]:
    """Return the state of a decoder of the format ``name`` before the first byte."""
    decoder = _new_decoder(Guess(name, 1.0, ""), readout).state()
    return {"format": name, "compression": compression, "position": 0, "decoder": decoder}


def decode(file: BinaryIO, decoder: StreamDecoder, chunk_bytes: int = 1 << 22) -> Iterator[Decoded]:
    """Yield the words of an open ``file``, a chunk at a time.

    Parquet needs a seekable file; all other formats do not.
    """
    data = file.read(chunk_bytes)
    if data.startswith(PARQUET_MAGIC):
        yield from _decode_parquet(file, decoder)
        return
    while data:
        yield from decoder.feed_in_parts(data)
        data = file.read(chunk_bytes)
    yield decoder.finish()


def _decode_parquet(file: BinaryIO, decoder: StreamDecoder) -> Iterator[Decoded]:
    if not file.seekable():
        raise FormatError("parquet can only be read from a file, not from a pipe")
    size = file.seek(0, 2)
    file.seek(0)
    decoder.guess = Guess("parquet", 1.0, "begins with b'PAR1'")
    yield from read_parquet(file, decoder.readout)
    decoder.bytes_in = size


class _Unknown:
    """Rejects everything, slice by slice: the decoder of data that is no known format."""

    def __init__(self, reason: str) -> None:
        self.position, self._tail, self._reason = 0, b"", reason

    def feed(self, data: bytes) -> Decoded:
        data = self._tail + data
        whole = len(data) // SLICE_BYTES * SLICE_BYTES
        self._tail = data[whole:]
        return self._reject(data[:whole])

    def finish(self) -> Decoded:
        rest, self._tail = self._tail, b""
        return self._reject(rest)

    def _reject(self, data: bytes) -> Decoded:
        pieces = [data[at : at + SLICE_BYTES] for at in range(0, len(data), SLICE_BYTES)]
        rejects = []
        for piece in pieces:
            rejects.append(
                Reject(
                    code=RejectCode.UNKNOWN_FORMAT,
                    offset=self.position,
                    length=len(piece),
                    evidence=evidence(piece),
                    reason=self._reason,
                )
            )
            self.position += len(piece)
        return Decoded(rejects=rejects)

    def state(self) -> dict[str, Any]:
        return {"reason": self._reason}

    def resume(self, position: int, state: Mapping[str, Any]) -> None:
        self.position, self._reason = position, state.get("reason", "")


def _new_decoder(guess: Guess, readout: Readout) -> Decoder:
    match guess.format:
        case "csv" | "empty":
            return CsvDecoder(readout)
        case "json":
            return JsonDecoder(readout)
        case "bologna":
            return BolognaDecoder(readout)
        case "dat" | "dat129":
            return DatDecoder(readout, headers=guess.format == "dat129")
        case "block":
            return BlockDecoder(readout)
        case _:
            return _Unknown(guess.reason)
