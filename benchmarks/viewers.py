"""Viewers of a dashboard without a browser: plain sockets that read the stream and count.

Run as a script: ``python benchmarks/viewers.py URL-HOST PORT N SECONDS``; prints JSON.
"""

import asyncio
import json
import re
import sys

_SEQ = re.compile(rb'"view":"[a-z]+","seq":(\d+)')


class Viewer:
    """One connection, and what it got."""

    def __init__(self) -> None:
        self.bytes = 0
        self.seqs: list[int] = []
        self.dropped = False

    async def watch(self, host: str, port: int) -> None:
        """Read until cancelled."""
        reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
        writer.write(f"GET /stream?view=recent HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        rest = b""
        try:
            while data := await reader.read(1 << 18):
                self.bytes += len(data)
                rest = (rest + data)[-200_000:]
                found = list(_SEQ.finditer(rest))
                self.seqs += [int(match[1]) for match in found]
                if found:
                    rest = rest[found[-1].end() :]
            self.dropped = True
        finally:
            writer.close()


async def watch(host: str, port: int, number: int, seconds: float) -> dict[str, object]:
    """Connect so many viewers for so long; return what they saw."""
    viewers = [Viewer() for _ in range(number)]
    tasks = []
    for viewer in viewers:
        tasks.append(asyncio.create_task(viewer.watch(host, port)))
        await asyncio.sleep(0.002)
    print("connected", flush=True)
    begin = [len(viewer.seqs) for viewer in viewers]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    seen = [viewer.seqs[n:] for viewer, n in zip(viewers, begin, strict=True)]
    missed = sum(s[-1] - s[0] + 1 - len(set(s)) for s in seen if s)
    return {
        "viewers": number,
        "updates": sum(map(len, seen)),
        "fewest": min(map(len, seen)),
        "missed": missed,
        "dropped": sum(viewer.dropped for viewer in viewers),
        "bytes": sum(viewer.bytes for viewer in viewers),
    }


if __name__ == "__main__":
    _, HOST, PORT, N, SECONDS = sys.argv
    print(json.dumps(asyncio.run(watch(HOST, int(PORT), int(N), float(SECONDS)))))
