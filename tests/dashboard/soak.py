"""A week of detector time through the dashboard, fast-forwarded, with a browser that watches.

Run as a script: ``python tests/dashboard/soak.py --days 7``. Memory of server and page must
not grow once the history of full detail is full, and every window must be counted.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

import psutil

from helpers.browser import chromium, heap_mb, open_page
from helpers.served import Served, serving

EVERY_S = 20.0
GROWTH = 1.15
"""What memory may be, in times what it was once the history was full."""


def main() -> int:
    """Soak; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=float, default=7.0)
    options = parser.parse_args()
    seconds = options.days * 86_400
    source = f"sim:legnaro?seconds={seconds:.0f}s"
    with serving(["dashboard", source, "--speed", "1000000", "--port", "0"]) as served:
        with chromium() as browser:
            watched = open_page(browser, f"{served.url}#page=chambers&view=recent")
            watched.page.wait_for_function("() => window.muonscope?.state().updates > 0")
            server, heap = [], []
            for rss, day in samples(served):
                mb = heap_mb(watched.page)
                updates = watched.page.evaluate("() => window.muonscope.state().updates")
                print(
                    f"day {day:6.3f}: server {rss:7.1f} MB, page {mb:6.1f} MB,"
                    f" {updates:,} updates drawn",
                    flush=True,
                )
                if day > 0.25:
                    server.append(rss)
                    heap.append(mb)
            status = served.health()
            assert status["windows"] >= seconds, status["windows"]
            assert status["malformed"] == status["duplicates"] == 0
            assert not watched.errors, watched.errors
        for name, sizes in (("server", server), ("page", heap)):
            first, last = max(sizes[:3]), min(sizes[-3:])
            print(f"{name}: {first:.1f} MB, then {last:.1f} MB at the end")
            assert last < GROWTH * first, f"{name} grew from {first:.1f} to {last:.1f} MB"
    return 0


def samples(served: Served) -> Iterator[tuple[float, float]]:
    """Give the memory of the server, MB, and the days that have passed, until it has all."""
    process = psutil.Process(served.process.pid)
    while True:
        status = served.health()
        yield process.memory_info().rss / 1e6, status["windows"] / 86_400
        if status["state"] in {"finished", "stopped"}:
            return
        time.sleep(EVERY_S)


if __name__ == "__main__":
    sys.exit(main())
