"""Words to people, on stderr, a line each."""

import sys

__all__ = ["say"]


def say(text: str) -> None:
    """Tell people something on stderr."""
    print(f"muonscope: {text}", file=sys.stderr, flush=True)  # noqa: T201
