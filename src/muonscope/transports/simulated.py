"""A simulated telescope as a source: the words of ``sim:`` URLs, as packed blocks.

The same URL gives the same bytes, so a restart makes them again and drops what was read.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence

from muonscope.simulation.options import Simulation
from muonscope.simulation.telescope import simulate
from muonscope.transports.base import Piece, Place
from muonscope.transports.files import MARK_BYTES
from muonscope.words.binary import BlockEncoder

__all__ = ["SimulatedSource"]


class SimulatedSource:
    """Gives the words of simulations, one after the other."""

    def __init__(
        self,
        simulations: Sequence[tuple[str, Simulation]],
        *,
        known: Mapping[str, Place] | None = None,
    ) -> None:
        """Take simulations with their URLs; begin where ``known`` says."""
        self._simulations, self._known = simulations, known or {}

    def size(self) -> None:
        """Return nothing: how many bytes come is not known."""

    def pieces(self) -> Iterator[Piece]:
        """Yield each simulation to its end, if it has one."""
        for url, simulation in self._simulations:
            place = self._known.get(url, Place(restart=0, read=0, mark=0, ended=False))
            if place.ended:
                continue
            read, mark = 0, 0
            for data in _blocks(simulation):
                mark = mark if read else zlib.crc32(data[:MARK_BYTES])
                skipped = max(0, min(place.restart - read, len(data)))
                read += len(data)
                if skipped < len(data):
                    yield Piece(key=url, name=url, data=data[skipped:], read=read, mark=mark)
            yield Piece(key=url, name=url, read=read, mark=mark, ended=True)


def _blocks(simulation: Simulation) -> Iterator[bytes]:
    encoder = BlockEncoder(simulation.detector.readout, simulation.detector.name)
    for batch in simulate(simulation):
        if len(batch.stream):
            yield encoder.encode(batch.stream.words)
