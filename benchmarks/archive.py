"""What an archive costs, and how fast it answers, at the rates of Legnaro; ``make bench``.

    python benchmarks/archive.py --minutes 60

A simulation is archived in windows of a second, as ``process --archive`` does. Sizes are those of
an hour times 24. The same totals are then taken from the same results as lines of JSON, by plain
Python and, where it is installed, polars: ratios of times of one run.
"""

import argparse
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

import quality
from muonscope.archiving.archive import Archive
from muonscope.archiving.archivist import Archivist, Noted
from muonscope.archiving.folders import ArchiveFolder
from muonscope.archiving.journal import Kept
from muonscope.archiving.minutes_file import minutes_table, write_minutes
from muonscope.archiving.run_file import RunFile
from muonscope.archiving.run_writer import RunWriter
from muonscope.quality.judge import Judge
from muonscope.quality.verdict import State
from muonscope.results.message import condensed_message
from muonscope.results.read_message import WindowResult
from muonscope.simulation.options import detector_of

DAYS_A_YEAR = 365
MOST_MB_A_DAY = 30.0


def main() -> int:
    """Measure; return the exit code: 1 if an answer is wrong or the archive too large."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="simulated")
    options = parser.parse_args()
    windows = list(quality.windows("legnaro", options.minutes * 60, 5))[1:-1]
    print(f"{len(windows):,} windows of a second, profile legnaro")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ok = written(folder / "archive", windows)
        ok &= peers(folder, windows)
        a_day(folder / "day", windows)
        a_year(folder / "archive")
    return 0 if ok else 1


def timed(work: Callable[[], Any], times: int = 5) -> tuple[float, Any]:
    """Return the median time of some work, s, and its answer."""
    took, answer = [], None
    for _ in range(times):
        begin = time.perf_counter()
        answer = work()
        took.append(time.perf_counter() - begin)
    return statistics.median(took), answer


def written(folder: Path, windows: list[WindowResult]) -> bool:
    """Write the archive; tell what that takes."""
    detector = detector_of("legnaro")
    judge = Judge(detector, reference=quality.reference("legnaro"))
    archivist = Archivist(str(folder), detector, lambda _: None, time.time)
    judging = taking = 0.0
    for window in windows:
        begin = time.perf_counter()
        changes = judge.take(window, time.time())
        noted = Noted.of(window, time.time(), judge, changes)
        judged = time.perf_counter()
        archivist.take(noted)
        taking += time.perf_counter() - judged
        judging += judged - begin
    begin = time.perf_counter()
    archivist.sync()
    synced = time.perf_counter()
    archivist.settle(whole=True)
    sealing = time.perf_counter() - synced
    archivist.close()
    n = len(windows)
    size = sum(p.stat().st_size for p in (folder / "runs").rglob("*.parquet"))
    mb = size / n * 86_400 / 1e6
    print(
        f"  a window: {size / n:.0f} B, journal {taking / n * 1e3:.2f} ms, sealing"
        f" {sealing / n * 1e3:.2f} ms, judging {judging / n * 1e3:.2f} ms"
    )
    print(f"  a sync: {(synced - begin) * 1e3:.1f} ms")
    print(f"  a day: {mb:.1f} MB, at most {MOST_MB_A_DAY:.0f}: {_verdict(mb <= MOST_MB_A_DAY)}")
    return mb <= MOST_MB_A_DAY


def peers(folder: Path, windows: list[WindowResult]) -> bool:
    """Take the same totals from lines of JSON."""
    path, detector = folder / "results.jsonl", detector_of("legnaro")
    with path.open("wb") as file:
        for w in windows:
            file.write(condensed_message(w.summary, w.run, w.place, w.first_orbit))
    expected = sum(w.summary.total_hits for w in windows)

    def cells() -> int:
        with Archive(folder / "archive") as archive:
            table = archive["bench"].table(["class_words"])
            flat = table["class_words"].combine_chunks().flatten().to_numpy()
            return int(flat.reshape(len(table), -1)[:, : detector.n_cells].sum())

    def total() -> int:
        with Archive(folder / "archive") as archive:
            return archive["bench"].total().total_hits

    def plain() -> int:
        return sum(orjson.loads(line)["total_hits"] for line in path.open("rb"))

    names: dict[str, Callable[[], int]] = {
        "archive, its total": total,
        "archive, window by window": cells,
        "JSON, plain Python": plain,
    }
    try:
        import polars as pl
    except ImportError:
        pass
    else:
        names["JSON, polars"] = lambda: int(
            pl.scan_ndjson(path).select(pl.col("total_hits").sum()).collect().item()
        )
    print(f"  hits of all cells; lines of JSON have {path.stat().st_size / 1e6:.1f} MB")
    ok, fastest = True, 0.0
    for name, work in names.items():
        took, answer = timed(work, 3)
        fastest = fastest or took
        ok &= answer == expected
        told = _verdict(answer == expected)
        print(f"    {name}: {took * 1e3:,.1f} ms, {took / fastest:,.1f}x, {told}")
    return ok


def a_day(folder: Path, windows: list[WindowResult]) -> None:
    """Open a run of a day: the same hour again and again."""
    detector, some = detector_of("legnaro"), windows[:600]
    about = RunFile(
        run="day", detector=detector.name, detector_hash=detector.fingerprint,
        detector_toml=RunFile.described(detector), window_orbits=some[0].summary.live_orbits,
        tracking=False, conditions={}, begun_at=0.0,
    )  # fmt: skip
    writer = RunWriter(ArchiveFolder(folder).run("day"), about, detector)
    orbits = about.window_orbits
    for hour in range(24):
        first = hour * 3601
        for n, window in enumerate(some):
            kept = Kept.of(window, float(first + n), State.GOOD, ())
            object.__setattr__(kept, "epoch", 0)
            object.__setattr__(kept, "window", first + n)
            object.__setattr__(kept, "first_orbit", (first + n) * orbits)
            writer.take(kept)
        writer.settle(whole=True)
    writer.close()

    def opened() -> int:
        with Archive(folder) as archive:
            run = archive["day"]
            return run.total().total_hits + len(run.trend("hits0"))

    at_first, _ = timed(opened, 1)
    (folder / "catalogue.sqlite").unlink()
    again, _ = timed(opened, 1)
    warm, _ = timed(opened)
    print(
        f"  a run of a day, 24 sealed hours: total and trend {warm * 1e3:.0f} ms, at first"
        f" {at_first * 1e3:.0f} ms, without its catalogue {again * 1e3:.0f} ms"
    )


def a_year(folder: Path) -> None:
    """Take a trend of a year of minutes."""
    with Archive(folder) as archive:
        run = archive["bench"]
        some = minutes_table(list(run.pieces()))
        part = next(iter(run.parts))
        write_minutes(run.folder, part, run.pieces())
        place = run.folder.path / "minutes"
        day = pa.concat_tables([some.slice(0, 60)] * 24)
        row = np.arange(len(day))
        for number in range(1, DAYS_A_YEAR):
            table = day.set_column(0, "epoch", pa.array(np.zeros(len(day), np.int64)))
            table = table.set_column(1, "minute", pa.array(row + 1440 * number))
            table = table.set_column(2, "hour", pa.array((row + 1440 * number) // 60))
            buffer = io.BytesIO()
            pq.write_table(table, buffer, compression="zstd")
            (place / f"E000-D{number:04}.parquet").write_bytes(buffer.getvalue())
        size = sum(p.stat().st_size for p in place.iterdir())
        for every in ("1h", "1min"):
            took, trend = timed(partial(run.trend, "hits0", every=every), 3)
            print(f"  a year by {every}: {len(trend):,} rows in {took:.2f} s, {size / 1e6:.0f} MB")


def _verdict(good: bool) -> str:
    return "OK" if good else "MISSED"


if __name__ == "__main__":
    sys.exit(main())
