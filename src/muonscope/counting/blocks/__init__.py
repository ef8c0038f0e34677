"""The blocks of a window, in the order in which the message has them."""

from muonscope.counting.block import Block
from muonscope.counting.blocks.drift import Drift
from muonscope.counting.blocks.lanes import Lanes
from muonscope.counting.blocks.multiplicity import Multiplicity
from muonscope.counting.blocks.occupancy import Occupancy
from muonscope.counting.blocks.orbits import Orbits
from muonscope.counting.blocks.together import Together
from muonscope.counting.blocks.tracks import Tracks
from muonscope.counting.blocks.words import WordCounts

__all__ = ["BLOCKS", "WITH_TRACKS"]

BLOCKS: tuple[Block, ...] = (
    WordCounts(), Occupancy(), Orbits(), Drift(), Multiplicity(), Together(), Lanes(),
)  # fmt: skip
"""What is counted. To add a count, write its block and put it here."""

WITH_TRACKS: tuple[Block, ...] = (*BLOCKS, Tracks())
"""What is counted live, and stands in messages: reconstruction is work of its own, and can be
left out."""
