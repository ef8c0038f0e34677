"""The document of the telescope, as pages and scripts get it."""

from typing import Annotated

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from muonscope.dashboard.contract import Count, Counts, Reals, items

__all__ = ["Cells", "Chamber", "Detector"]


class Cells(Struct, frozen=True, kw_only=True):
    """Cells of a chamber, in the order of channels."""

    channel: Counts
    layer: Annotated[
        npt.NDArray[np.int64],
        Meta(description="1 is the lowest."),
        items(type="integer", minimum=1),
    ]
    wire: Counts
    x_mm: Annotated[Reals, Meta(description="Centre of the cell, mm.")]
    z_mm: Annotated[Reals, Meta(description="Centre of the cell, mm.")]


class Chamber(Struct, frozen=True, kw_only=True):
    """One chamber of the telescope."""

    label: str
    fpga: Count
    first_channel: Count
    last_channel: Annotated[Count, Meta(description="Inclusive.")]
    view: str
    cells: Cells


class Detector(Struct, frozen=True, kw_only=True):
    """The telescope, cells included."""

    name: str
    description: str
    chambers: list[Chamber]
