"""Files that are followed while a fake clock moves and things happen to them."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from muonscope.transports.base import FilePosition, Piece
from muonscope.transports.files import find_files
from muonscope.transports.following import Admission, FollowSource

__all__ = ["FakeTime", "follow"]


class FakeTime:
    """A clock that only moves when someone waits; then the next thing happens."""

    def __init__(self, *happenings: Callable[[], object]) -> None:
        self.now = time.time()
        self._happenings = list(happenings)

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        if self._happenings:
            self._happenings.pop(0)()


def follow(
    paths: Path | Sequence[Path],
    *happenings: Callable[[], object],
    known: dict[str, FilePosition] | None = None,
    idle_exit_s: float = 3.0,
    admission: Callable[[Callable[[], float]], Admission] | None = None,
) -> list[Piece]:
    """Follow a folder, or a list of files, while things happen; return the pieces.

    ``admission`` is made from the clock.
    """
    fake = FakeTime(*happenings)

    def list_files() -> Sequence[Path]:
        if not isinstance(paths, Path):
            return paths
        return [path for path in find_files([str(paths)]) if path.exists()]

    source = FollowSource(
        list_files, clock=fake.clock, wait=fake.wait, idle_exit_s=idle_exit_s, known=known,
        admission=admission and admission(fake.clock),
    )  # fmt: skip
    return [piece for piece in source.pieces() if not piece.idle]
