"""Fuzz the codecs: any bytes give words, rejects or a MuonscopeError, and keep the law.

``python tests/words/fuzz.py --seconds 60 [target]`` mutates valid data at random until
the time is over; a failure prints the seed and the bytes that make it happen again. The
same targets run in the tests with fewer examples.
"""

import argparse
import gzip
import io
import random
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import zstandard

from muonscope.detector import (
    Readout,
    parse_detector,
    setup_names,
    setup_text,
    shipped_detector,
)
from muonscope.errors import MuonscopeError
from muonscope.words.binary import BlockDecoder, BlockEncoder, DatDecoder
from muonscope.words.bologna import BolognaDecoder
from muonscope.words.codec import Decoder
from muonscope.words.decode import StreamDecoder, decode
from muonscope.words.layout import Words, pack_hits, unpack
from muonscope.words.parquet import ParquetEncoder
from muonscope.words.rejects import Reject
from muonscope.words.text import CsvDecoder, JsonDecoder
from muonscope.words.text_encode import TextEncoder

READOUTS = [shipped_detector(name).readout for name in ("legnaro", "run000591", "bologna2")]
READOUT = READOUTS[0]


def _some_words() -> Words:
    n = np.arange(80)
    hits = pack_hits(2, n % 2, n * 7 % 140, 617_000 + n // 3, n * 97 % 3600, 1 + n % 30)
    ancillary = [h << 61 | 617_000 + h << 24 | 0x51B000 for h in (0, 1, 3)]
    ancillary += [h << 61 | 617_000 << 24 | 0xB897 for h in (4, 5)]
    return np.concatenate([hits, np.array(ancillary, np.uint64) & ~np.uint64(0x7000)])


def _parquet(*, whole: bool) -> bytes:
    encoder = ParquetEncoder(READOUT)
    data = b"".join([encoder.begin(), encoder.encode(_some_words()), encoder.end()])
    return data if whole else data.replace(b"WORD", b"WURD")


def _seeds() -> dict[str, list[bytes]]:
    words = _some_words()
    hits = words[:80]
    csv = TextEncoder(READOUT).begin() + TextEncoder(READOUT).encode(hits)
    rows = b"4,1,0,3387315431,0,-0.573730\n0,1,2,3387315431,1119,24\n1,1,0,33,0,130\n"
    json = TextEncoder(READOUT, json=True).encode(hits)
    json += b'{"HEAD": 4, "FPGA": 1, "TDC_CHANNEL": 0, "ORBIT_CNT": 7, "BX_COUNTER": 0,'
    json += b' "TDC_MEAS": -5.7e-1, "EXTRA": [null, true, {"a": "\\u00e9"}]}\n'
    block = BlockEncoder(READOUT, "legnaro").encode
    seeds = {
        "csv": [
            csv,
            rows + csv,
            csv.replace(b",", b";").replace(b"\n", b";1,5\r\n"),
            b"# " + csv.replace(b",", b" "),
        ],
        "json": [json, b"[" + json.strip().replace(b"\n", b",\n ") + b"]\n"],
        "bologna": [
            b"".join(
                b"_ %.3f %d %d %d %d\n" % (n * 0.11, n * 1234 % 4096, n * 7 % 240, n * 97, n % 31)
                for n in range(37)
            )
        ],
        "dat": [words.tobytes(), (1213).to_bytes(8, "little") + words.tobytes()],
        "block": [block(words), block(words[:3]) + block(words[3:40]) + block(words[40:])],
        "parquet": [_parquet(whole=True), _parquet(whole=False)],
        "detector": [setup_text(name).encode() for name in setup_names()],
    }
    plain = [seed for name in ("csv", "json", "bologna", "dat", "block") for seed in seeds[name]]
    packed = [pack(seed) for seed in plain for pack in (gzip.compress, zstandard.compress)]
    return seeds | {"stream": plain + packed + seeds["parquet"], "compression": packed}


SEEDS = _seeds()
"""Valid data to start from, by target."""

_TOKENS = [
    b"\n", b"\r\n", b",", b'"', b"\0", b"\xff", b"-", b".", b"e9", b"nan", b"{", b"}", b"[", b"]",
    b"4294967296", b"18446744073709551616", b"0x1F", b"\xef\xbb\xbf", b"\xd9\xa1", b"MUONWRD1",
    b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"PAR1", b"HEAD,FPGA", b"null", b"\\u0031", b"=",
    b"[[chamber]]", b"1e400", b";", b" ", b"\t", b"# ", b"1.000", b"[[", b"],", b"\x7f\xff\xff\xff",
]  # fmt: skip


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Return ``data`` with a few random changes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at = rng.randrange(len(changed) + 1)
        size = rng.choice((1, 2, 8, 40, 300))
        match rng.randrange(6):
            case 0 if at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                del changed[at : at + size]
            case 2:
                changed[at:at] = rng.randbytes(size)
            case 3:
                changed[at:at] = rng.choice(_TOKENS)
            case 4:
                changed[at : at + size] = changed[at // 2 : at // 2 + size]
            case _:
                del changed[at + 1 :]
    return bytes(changed)


def _check(size: int, position: int, words: Words, rejects: list[Reject]) -> None:
    assert position == size, f"stopped at {position} of {size}"
    assert words.dtype == np.uint64
    at = 0
    for reject in rejects:
        assert at <= reject.offset, f"{reject} overlaps what ended at {at}"
        at = reject.offset + reject.length
    assert at <= size
    for readout in READOUTS:
        unpack(words, readout.version, readout.hit_head)


def _pieces(data: bytes) -> list[bytes]:
    """Cut ``data`` in a way that depends on it alone."""
    cuts = sorted({0, *(data[i] * (i + 1) % (len(data) + 1) for i in range(min(6, len(data))))})
    return [data[a:b] for a, b in pairwise([*cuts, len(data)])]


def _codec(data: bytes, new: Callable[[Readout], Decoder]) -> None:
    """The same in one piece and in many, as an array and as rejects, and to the end."""
    for readout in READOUTS:
        results = []
        for pieces in ([data], _pieces(data)):
            decoder = new(readout)
            parts = [*map(decoder.feed, pieces), decoder.finish()]
            words = np.concatenate([part.words for part in parts])
            rejects = [reject for part in parts for reject in part.rejects]
            _check(len(data), decoder.position, words, rejects)
            results.append((words.tolist(), rejects))
        assert results[0] == results[1], "pieces give something else than the whole"


def fuzz_csv(data: bytes) -> None:
    """Any bytes as CSV."""
    _codec(data, CsvDecoder)


def fuzz_json(data: bytes) -> None:
    """Any bytes as JSON lines."""
    _codec(data, JsonDecoder)


def fuzz_bologna(data: bytes) -> None:
    """Any bytes as lines of the DAQ in Bologna."""
    _codec(data, BolognaDecoder)


def fuzz_dat(data: bytes) -> None:
    """Any bytes as words, with headers before transfers and without."""
    _codec(data, lambda _: DatDecoder(READOUT))
    _codec(data, lambda _: DatDecoder(READOUT, headers=True))


def fuzz_block(data: bytes) -> None:
    """Any bytes as blocks."""
    _codec(data, BlockDecoder)


def fuzz_parquet(data: bytes) -> None:
    """Any bytes as a Parquet file."""
    try:
        parts = list(decode(io.BytesIO(data), StreamDecoder(READOUT)))
    except MuonscopeError as exc:
        assert str(exc)  # noqa: PT017
    else:
        assert all(part.words.dtype == np.uint64 for part in parts)


def fuzz_stream(data: bytes) -> None:
    """Any bytes as a stream whose nature is found out, resumed in its middle."""
    for readout in READOUTS:
        results = []
        for pieces in ([data], _pieces(data)):
            decoder = StreamDecoder(readout)
            parts = [*map(decoder.feed, pieces), decoder.finish()]
            words = np.concatenate([part.words for part in parts])
            rejects = [reject for part in parts for reject in part.rejects]
            _check(decoder.bytes_in, decoder.position, words, rejects)
            assert decoder.compression or decoder.bytes_in == len(data)
            results.append((words.tolist(), rejects))
        assert results[0] == results[1], "pieces give something else than the whole"
        assert _resumed(data, readout) == results[0], "resuming gives something else"


def _resumed(data: bytes, readout: Readout) -> tuple[list[int], list[Reject]]:
    first, second = StreamDecoder(readout), StreamDecoder(readout)
    parts = [first.feed(data[: len(data) // 2])]
    second.resume(first.state())
    parts += [second.feed(data[first.restart :]), second.finish()]
    words = np.concatenate([part.words for part in parts])
    return words.tolist(), [reject for part in parts for reject in part.rejects]


def fuzz_detector(data: bytes) -> None:
    """Any text as a detector description."""
    try:
        detector = parse_detector(data.decode("utf-8", "replace"), where="fuzz.toml")
    except MuonscopeError as exc:
        assert str(exc).startswith("fuzz.toml: ")  # noqa: PT017
    else:
        assert len(detector.cells().x_mm) == detector.n_cells > 0
        assert np.all(np.isfinite(detector.cells().x_mm))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "csv": fuzz_csv,
    "json": fuzz_json,
    "bologna": fuzz_bologna,
    "dat": fuzz_dat,
    "block": fuzz_block,
    "parquet": fuzz_parquet,
    "compression": fuzz_stream,
    "stream": fuzz_stream,
    "detector": fuzz_detector,
}
"""What can be fuzzed, by name."""


def run(names: list[str], seconds: float, seed: int, clock: Callable[[], float]) -> int:
    """Fuzz the targets in turn until the time is over; return the number of runs."""
    rng, end, count = random.Random(seed), clock() + seconds, 0
    while clock() < end:
        name = names[count % len(names)]
        data = mutate(rng.choice(SEEDS[name]), rng)
        try:
            TARGETS[name](data)
        except BaseException:
            path = Path(f"fuzz-{name}-{seed}-{count}.bin")
            path.write_bytes(data)
            sys.stderr.write(f"{name}: run {count} of seed {seed} failed; its bytes are {path}\n")
            raise
        count += 1
    return count


def main() -> None:
    """Read the command line and fuzz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="*", choices=[*TARGETS, []], help="default: all")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    names = options.target or list(TARGETS)
    count = run(names, options.seconds, options.seed, time.monotonic)
    sys.stdout.write(f"{count} runs of {', '.join(names)}: nothing found\n")


if __name__ == "__main__":
    main()
