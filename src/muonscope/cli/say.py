"""Lines for people, on standard error."""

import sys

from muonscope.events import Event
from muonscope.wording import describe

__all__ = ["say", "tell"]


def say(text: str) -> None:
    """Print a line on standard error."""
    print(f"muonscope: {text}", file=sys.stderr, flush=True)  # noqa: T201


def tell(event: Event) -> None:
    """Print what happened, in words, on standard error; a doubt as a warning."""
    say(f"warning: {describe(event)}" if event.doubtful else describe(event))
