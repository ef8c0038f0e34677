"""Broadcasting: each state is encoded once, the slow skip, nothing is queued."""

import asyncio
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from helpers.patience import patience
from muonscope.dashboard.hub import GZIP_HEADER, Hub


class Told:
    """What there is to broadcast, and how often it was encoded."""

    def __init__(self) -> None:
        self.state = 0
        self.encoded: Counter[str] = Counter()
        self.empty: set[str] = set()

    def encode(self, kind: str) -> bytes | None:
        self.encoded[kind] += 1
        return None if kind in self.empty else f"{kind}{self.state};".encode()


def played(play: Callable[[Told, Hub], Coroutine[Any, Any, None]]) -> None:
    """Run a play on a hub."""

    async def run() -> None:
        told = Told()
        await asyncio.wait_for(play(told, Hub(told.encode)), patience(5.0))

    asyncio.run(run())


async def following(events: AsyncGenerator[bytes], got: list[bytes]) -> None:
    """Note all that is sent."""
    async for data in events:
        got += [data]


async def settled() -> None:
    """Let all tasks go on as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_viewer_gets_the_newest_state_of_each_kind_at_once() -> None:
    async def play(told: Told, hub: Hub) -> None:
        told.state = 5
        assert await anext(hub.events("status", "run")) == b"status5;run5;"

    played(play)


def test_a_state_is_encoded_once_for_any_number_of_viewers() -> None:
    async def play(told: Told, hub: Hub) -> None:
        got: list[list[bytes]] = [[] for _ in range(300)]
        tasks = [asyncio.create_task(following(hub.events("status", "run"), g)) for g in got]
        await settled()
        assert hub.viewers == 300
        for told.state in range(1, 4):
            hub.renew("run")
            await settled()
        assert all(g == [b"status0;run0;", b"run1;", b"run2;", b"run3;"] for g in got)
        assert told.encoded == {"status": 1, "run": 4}
        hub.close()
        await asyncio.gather(*tasks)

    played(play)


def test_what_nobody_looks_at_is_not_encoded() -> None:
    async def play(told: Told, hub: Hub) -> None:
        got: list[bytes] = []
        task = asyncio.create_task(following(hub.events("run"), got))
        await settled()
        hub.renew("run", "window", "recent", "status")
        await settled()
        assert set(told.encoded) == {"run"}
        hub.close()
        await task

    played(play)


def test_a_slow_viewer_skips_what_came_meanwhile_and_holds_nobody_up() -> None:
    async def play(told: Told, hub: Hub) -> None:
        slow, got = hub.events("run"), list[bytes]()
        task = asyncio.create_task(following(hub.events("run"), got))
        assert await anext(slow) == b"run0;"
        await settled()
        for told.state in range(1, 101):
            hub.renew("run")
            await settled()
        assert len(got) == 101
        assert await anext(slow) == b"run100;"
        waiting = asyncio.ensure_future(anext(slow))
        await settled()
        assert not waiting.done()
        told.state = 101
        hub.renew("run")
        assert await waiting == b"run101;"
        hub.close()
        await task

    played(play)


def test_where_there_is_nothing_yet_it_waits_for_it() -> None:
    async def play(told: Told, hub: Hub) -> None:
        told.empty = {"run"}
        got: list[bytes] = []
        task = asyncio.create_task(following(hub.events("status", "run"), got))
        await settled()
        hub.renew("run")
        await settled()
        assert got == [b"status0;"]
        told.empty = set()
        hub.renew("run")
        await settled()
        assert got == [b"status0;", b"run0;"]
        hub.close()
        await task

    played(play)


def test_closing_lets_all_viewers_go_and_takes_no_new_ones() -> None:
    async def play(told: Told, hub: Hub) -> None:
        tasks = [asyncio.create_task(following(hub.events("run"), [])) for _ in range(50)]
        await settled()
        hub.close()
        await asyncio.gather(*tasks)
        assert hub.viewers == 0
        assert [data async for data in hub.events("run")] == []

    played(play)


def test_a_viewer_that_leaves_is_counted_no_more() -> None:
    async def play(told: Told, hub: Hub) -> None:
        task = asyncio.create_task(following(hub.events("run"), []))
        await settled()
        assert hub.viewers == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await settled()
        assert hub.viewers == 0

    played(play)


def test_a_state_is_packed_once_and_any_sequence_of_packed_ones_is_a_stream() -> None:
    async def play(told: Told, hub: Hub) -> None:
        early, late = list[bytes](), list[bytes]()
        tasks = [asyncio.create_task(following(hub.events("status", "run", packed=True), early))]
        await settled()
        for n in range(1, 5):
            told.state = n
            hub.renew("run")
            await settled()
            if n == 3:
                events = hub.events("run", packed=True)
                tasks.append(asyncio.create_task(following(events, late)))
                await settled()
        assert hub.packed("run") is hub.packed("run")
        for got, expected in (
            (early, b"status0;run0;run1;run2;run3;run4;"),
            (late, b"run3;run4;"),
        ):
            inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
            assert inflate.decompress(GZIP_HEADER + b"".join(got)) == expected
        hub.close()
        await asyncio.gather(*tasks)

    played(play)


def test_what_is_not_there_is_not_packed() -> None:
    async def play(told: Told, hub: Hub) -> None:
        told.empty.add("run")
        assert hub.packed("run") is None
        told.empty.clear()
        hub.renew("run")
        assert hub.packed("run") is not None

    played(play)
