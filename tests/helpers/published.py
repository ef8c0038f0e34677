"""Messages as sinks take them."""

from muonscope.transports.base import Published

__all__ = ["published"]


def published(*lines: bytes) -> list[Published]:
    """Return ``lines`` with names."""
    return [Published(f"message {n}", line) for n, line in enumerate(lines)]
