"""Recordings in several files, in any format, and what is read of them."""

import gzip
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import zstandard

from helpers.simulated import simulated_words
from muonscope.detector import shipped_detector
from muonscope.events import Event
from muonscope.intake.opening import open_words
from muonscope.replaying.word_files import encoder_for
from muonscope.words.layout import Words

__all__ = ["encoded", "read_once", "recorded", "written"]


@cache
def recorded(n: int, seed: int = 1) -> Words:
    """Return the first ``n`` words of a simulated run, shape (n,)."""
    return simulated_words(n, seed=seed)


def encoded(words: Words, ending: str) -> bytes:
    """Return words as the file that has such an ending: ``dat``, ``csv.gz``, ``parquet``, ..."""
    name, _, packed = ending.partition(".")
    encoder = encoder_for("csv" if name == "txt" else name, shipped_detector())
    data = encoder.begin() + encoder.encode(words) + encoder.end()
    if packed == "gz":
        return gzip.compress(data, 1)
    return zstandard.compress(data) if packed == "zst" else data


def written(folder: Path, files: Mapping[str, Words | bytes]) -> Path:
    """Write files, words by the ending of the name; return the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_bytes(encoded(content, name.partition(".")[2]))
    return folder


def read_once(*sources: Path | str, allow_duplicates: bool = False) -> tuple[Words, list[Event]]:
    """Return the words that are read of sources, in their order, and what was told."""
    told: list[Event] = []
    source = open_words(
        [str(source) for source in sources], shipped_detector(), tell=told.append,
        allow_duplicates=allow_duplicates,
    )  # fmt: skip
    parts = [np.empty(0, np.uint64)]
    for batch in source.batches():
        assert batch.error is None
        parts.append(batch.words)
    return np.concatenate(parts), told
