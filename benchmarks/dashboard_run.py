"""The dashboard, with viewers by the hundred and a real browser: cost, latency, memory.

Run as a script. Needs Chromium and psutil; the browser and the viewers share the cores
with the server, whose own time is told apart.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from playwright.sync_api import Page

from helpers.browser import chromium, heap_mb, open_page

MUONSCOPE = str(Path(sys.executable).with_name("muonscope"))
HOST = "127.0.0.1"
VIEWERS = (0, 1, 10, 100, 500)
CHAMBERS = "#page=chambers&"
SECTIONS = ["start", "viewers", "latency", "file", "browser", "traffic", "network"]
_SLOW_BITS, _SLOW_MS = 1.6e6, 150
"""A slow line, as phones have it (the "slow 4G" of Lighthouse)."""
FIRST_PLOT = "() => window.muonscope && window.muonscope.state().updates > 0"


@dataclass
class Server:
    """A dashboard that runs beside."""

    process: psutil.Popen
    port: int

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self.port}/"

    def cpu_s(self) -> float:
        """Return the processor time it has taken, s."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory_mb(self) -> float:
        """Return its resident memory."""
        return float(self.process.memory_info().rss) / 1e6

    def get(self, path: str) -> dict[str, object]:
        """Return what it answers."""
        with urllib.request.urlopen(self.url + path) as answer:
            found: dict[str, object] = json.load(answer)
            return found


@contextmanager
def dashboard(*args: str, port: int = 5077, env: dict[str, str] | None = None) -> Iterator[Server]:
    """Run a dashboard until the block ends."""
    command = [MUONSCOPE, *(args or ("demo",)), "--port", str(port)]
    with psutil.Popen(command, stderr=subprocess.DEVNULL, env=env) as process:
        try:
            server = Server(process, port)
            for _ in range(600):
                try:
                    server.get("api/v1/health")
                    break
                except OSError:
                    time.sleep(0.05)
            yield server
        finally:
            process.terminate()
            process.wait(30)


def viewers_beside(server: Server, number: int, seconds: float) -> "subprocess.Popen[str]":
    """Connect viewers in a process of their own; return it once all are connected."""
    script = Path(__file__).with_name("viewers.py")
    command = [sys.executable, str(script), HOST, str(server.port), str(number), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "connected\n"
    return process


def viewers_section(seconds: float) -> None:
    """Measure what the server costs by the number of its viewers, at one window a second."""
    with dashboard() as server:
        time.sleep(5)
        base = None
        for number in VIEWERS:
            beside = viewers_beside(server, number, seconds + 1) if number else None
            before, start = server.cpu_s(), time.perf_counter()
            time.sleep(seconds)
            cpu = (server.cpu_s() - before) / (time.perf_counter() - start)
            base = cpu if base is None else base
            line = f"{number:4} viewers: {cpu * 100:6.2f} % of a core, {server.memory_mb():6.1f} MB"
            if beside:
                out, _ = beside.communicate(timeout=60)
                seen = json.loads(out)
                each = (cpu - base) / number * 1e6
                line += (
                    f", {each:6.0f} us a viewer and second; {seen['fewest']} updates at the least,"
                    f" {seen['missed']} missed, {seen['dropped']} dropped"
                )
                assert seen["dropped"] == 0
            print(line, flush=True)


def latency_section(seconds: float) -> None:
    """Measure from the words that close a window to the bars changed, in a real browser."""
    for others in (0, 199):
        with dashboard() as server, chromium() as browser:
            page = open_page(browser, f"{server.url}{CHAMBERS}view=window").page
            page.wait_for_function(FIRST_PLOT)
            time.sleep(8)
            beside = viewers_beside(server, others, seconds + 5) if others else None
            delays = watched(page, seconds)
            if beside:
                beside.communicate(timeout=60)
            ms = np.percentile(delays, [50, 90, 99, 100])
            print(
                f"latency, {others + 1} viewers, {len(delays)} windows: p50 {ms[0]:.0f} ms,"
                f" p90 {ms[1]:.0f}, p99 {ms[2]:.0f}, longest {ms[3]:.0f}",
                flush=True,
            )
            print("  " + histogram(delays), flush=True)


def watched(page: Page, seconds: float) -> list[float]:
    """Return the delays of the updates that a page applies, ms."""
    delays: dict[int, float] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = page.evaluate("() => window.muonscope.state()")
        if state["seq"]:
            delays.setdefault(state["seq"], state["lastApplied"] - 1e3 * state["closedAt"])
        time.sleep(0.1)
    return list(delays.values())[1:]


def histogram(delays: list[float]) -> str:
    """Return how many delays there are in steps of 25 ms."""
    counts = np.bincount((np.array(delays) // 25).astype(int))
    return ", ".join(f"{25 * i}-{25 * i + 25} ms: {n}" for i, n in enumerate(counts) if n)


def browser_section(updates: int) -> None:
    """Measure main-thread time of updates of the chambers page, and the memory of the page."""
    with (
        dashboard("dashboard", "sim:legnaro?seconds=inf", "--speed", "5") as server,
        chromium() as browser,
    ):
        page = open_page(browser, f"{server.url}{CHAMBERS}view=recent").page
        page.wait_for_function(FIRST_PLOT)
        costs: list[float] = []
        heaps: list[float] = []
        seen = -1
        while len(costs) < updates:
            state = page.evaluate("() => window.muonscope.state()")
            if state["seq"] != seen:
                seen = state["seq"]
                costs.append(state["lastMs"])
                if len(costs) % max(1, updates // 10) == 0:
                    heaps.append(heap_mb(page))
            time.sleep(0.03)
        ms = np.percentile(costs[10:], [50, 99])
        print(f"update of the chambers page: p50 {ms[0]:.1f} ms, p99 {ms[1]:.1f} ms of main thread")
        print("  heap after garbage collection, MB: " + ", ".join(f"{h:.1f}" for h in heaps))


def start_section() -> None:
    """Measure from the command to the first plot in a browser that is open already."""
    with chromium() as browser:
        page = open_page(browser, "about:blank").page
        for label, env in (("warm", None), ("cold", {"NUMBA_CACHE_DIR": f"/tmp/{time.time_ns()}"})):
            start = time.perf_counter()
            with dashboard(env=dict(os.environ) | (env or {})) as server:
                page.goto(server.url)
                page.wait_for_function(FIRST_PLOT, timeout=120_000)
                print(f"first plot of muonscope demo, {label}: {time.perf_counter() - start:.1f} s")


def network_section() -> None:
    """Measure a first visit over a slow line: what is loaded, and when the first plot is there."""
    with dashboard("dashboard", "sim:legnaro?seconds=inf") as server, chromium() as browser:
        time.sleep(20)  # windows are there
        for name in ("overview", "chambers"):
            page = open_page(browser, "about:blank").page
            session = page.context.new_cdp_session(page)
            session.send("Network.enable")
            loaded: dict[str, float] = {}
            session.on(
                "Network.loadingFinished",
                lambda event, into=loaded: into.update(
                    {event["requestId"]: event["encodedDataLength"]}
                ),
            )
            session.send(
                "Network.emulateNetworkConditions",
                {
                    "offline": False, "latency": _SLOW_MS, "uploadThroughput": _SLOW_BITS / 8,
                    "downloadThroughput": _SLOW_BITS / 8,
                },
            )  # fmt: skip
            start = time.perf_counter()
            page.goto(f"{server.url}#page={name}")
            page.wait_for_function(FIRST_PLOT, timeout=120_000)
            print(
                f"first plot of {name} at {_SLOW_BITS / 1e6:g} Mbit/s and {_SLOW_MS} ms:"
                f" {time.perf_counter() - start:.1f} s, {sum(loaded.values()) / 1e3:.0f} kB in"
                f" {len(loaded)} answers",
                flush=True,
            )
            page.context.close()


def traffic_section(seconds: float) -> None:
    """Measure what the stream sends to one viewer, packed, with and without single orbits."""
    with dashboard("dashboard", "sim:legnaro?seconds=inf") as server:
        time.sleep(10)
        for page, lists in (("overview", 0), ("chambers", 1)):
            with socket.create_connection((HOST, server.port)) as connection:
                asked = f"GET /stream?view=recent&lists={lists} HTTP/1.1"
                connection.sendall(
                    f"{asked}\r\nHost: {HOST}\r\nAccept-Encoding: gzip\r\n\r\n".encode()
                )
                taken, begin = 0, time.monotonic()
                connection.settimeout(5)
                while time.monotonic() < begin + seconds:
                    taken += len(connection.recv(1 << 18))
            each = taken * 8 / seconds
            print(
                f"stream of {page}: {each / 8e3:.1f} kB/s, {200 * each / 1e6:.1f} Mbit/s for 200",
                flush=True,
            )


def file_section(seconds: float) -> None:
    """Measure from a line in a file of results to the changed pixels, in a real browser."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.jsonl"
        made = Path(folder) / "made.jsonl"
        source = f"sim:legnaro?seconds={seconds + 10:g}"
        command = [MUONSCOPE, "process", source, "--to", str(made), "--run", "bench"]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        lines = made.read_bytes().splitlines(keepends=True)[: int(seconds)]
        results.write_bytes(b"")
        with dashboard("dashboard", str(results)) as server, chromium() as browser:
            page = open_page(browser, f"{server.url}{CHAMBERS}view=window").page
            delays = []
            for n, line in enumerate(lines):
                time.sleep(0.97)  # not in step with what looks for lines
                with results.open("ab") as file:
                    file.write(line)
                written = time.time() * 1e3
                if n < 5:
                    continue
                page.wait_for_function(
                    "(at) => window.muonscope.state().lastApplied > at", arg=written, polling=10
                )
                delays.append(page.evaluate("() => window.muonscope.state().lastApplied") - written)
            ms = np.percentile(delays, [50, 99])
            print(
                f"from the line to the pixels, {len(delays)} windows: p50 {ms[0]:.0f} ms,"
                f" p99 {ms[1]:.0f} ms"
            )
            print("  " + histogram(delays), flush=True)


def main() -> int:
    """Run the sections asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", default=SECTIONS)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--updates", type=int, default=1_000)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, shared by server, viewers and browser")
    for section in options.sections:
        match section:
            case "start":
                start_section()
            case "viewers":
                viewers_section(options.seconds)
            case "latency":
                latency_section(options.seconds)
            case "file":
                file_section(options.seconds)
            case "traffic":
                traffic_section(options.seconds)
            case "network":
                network_section()
            case _:
                browser_section(options.updates)
    return 0


if __name__ == "__main__":
    sys.exit(main())
