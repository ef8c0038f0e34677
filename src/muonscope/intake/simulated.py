"""The words of simulations: those of a ``sim:`` URL, as they are made.

The same URL gives the same words, so a restart makes them again and drops what was given.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from muonscope.errors import StateError
from muonscope.intake.batch import Checkpoint, WordBatch
from muonscope.intake.checkpoints import Checkpoints
from muonscope.simulation.options import Simulation
from muonscope.simulation.telescope import simulate
from muonscope.words.detect import Guess

__all__ = ["SimulatedIntake", "SimulatedPosition"]

_WORD_BYTES = 8
_GUESS = Guess("simulated", 1.0, "words are made here")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPosition:
    """How many words of a simulation have been taken."""

    name: str
    """Its URL."""
    words: int = 0
    ended: bool = False

    @property
    def bytes_in(self) -> int:
        """Bytes of the words, eight each."""
        return _WORD_BYTES * self.words

    @property
    def read(self) -> int:
        """Bytes of the words, eight each."""
        return self.bytes_in

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "SimulatedPosition":
        """Return what :meth:`as_json` gave.

        Raises
        ------
        StateError
            If it was saved by a version in which simulations were packed bytes.
        """
        if "words" not in value:
            raise StateError(
                f"{value['name']}: the saved state is of an earlier version of muonscope, which"
                " counted a simulation in bytes; use another --state folder"
            )
        return cls(name=value["name"], words=value["words"], ended=value["ended"])


class SimulatedIntake:
    """Gives the words of simulations, one after the other."""

    def __init__(
        self,
        simulations: Sequence[tuple[str, Simulation]],
        *,
        positions: Mapping[str, SimulatedPosition] | None = None,
        stop: Callable[[], bool] = lambda: False,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        """Take simulations with their URLs; begin where ``positions`` say."""
        self._simulations, self._positions = simulations, positions or {}
        self._stop = stop
        self._checkpoints = checkpoints or Checkpoints(time.monotonic, wanted=False)

    def batches(self) -> Iterator[WordBatch]:
        """Yield each simulation to its end, if it has one, or until it is to stop."""
        for url, simulation in self._simulations:
            begin = self._positions.get(url, SimulatedPosition(name=url))
            if not begin.ended:
                yield from self._words_of(url, simulation, begin.words)
            if self._stop():
                return
        yield WordBatch(checkpoint=Checkpoint(int(self._checkpoints.wanted)))

    def _words_of(self, url: str, simulation: Simulation, taken: int) -> Iterator[WordBatch]:
        made = 0
        for batch in simulate(simulation):
            words = batch.stream.words[max(0, taken - made) :]
            made += len(batch.stream)
            if len(words):
                position = SimulatedPosition(name=url, words=made)
                yield WordBatch(
                    words=words,
                    stream=url,
                    positions={url: position},
                    guess=_GUESS,
                    checkpoint=self._checkpoints.due(),
                )
            if self._stop():
                return
        position = SimulatedPosition(name=url, words=made, ended=True)
        yield WordBatch(stream=url, positions={url: position}, guess=_GUESS)
