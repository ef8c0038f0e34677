"""How the figures of a page look: what a viewer has chosen that changes a figure itself.

Pure values. What is drawn, the counts, is no part of a look: it comes with each update.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, TypeVar, get_args

__all__ = ["CLOCKS", "SCALES", "THEMES", "UNITS", "Clock", "Look", "Palette", "Theme", "Unit"]

Theme = Literal["light", "dark"]
Unit = Literal["counts", "hz"]
Clock = Literal["run", "day"]

_T = TypeVar("_T")
THEMES: tuple[Theme, ...] = get_args(Theme)
UNITS: tuple[Unit, ...] = get_args(Unit)
CLOCKS: tuple[Clock, ...] = get_args(Clock)
_THEMES: dict[str, Theme] = {theme: theme for theme in THEMES}
_UNITS: dict[str, Unit] = {unit: unit for unit in UNITS}
_CLOCKS: dict[str, Clock] = {clock: clock for clock in CLOCKS}
_SWITCHES = {"0": False, "1": True}
SCALES = ("1", "1.5", "2", "3")
"""Sizes, as a page asks for them: that of a desk, and those of screens that are further away."""
_SCALES = {text: float(text) for text in SCALES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Colours of one theme; those of the page (``app.css``) agree with them."""

    ink: str
    """Text, and the line of a total."""
    ground: str
    """What a figure stands on."""
    muted: str
    """Axes and their labels."""
    grid: str
    """Lines behind the data."""
    reference: str
    """Whatever was drawn from the reference."""
    empty: str
    """A cell without a hit."""
    hot: str
    """A cell that is off the colour scale."""
    chambers: tuple[str, ...]
    """One for each chamber, in order; they begin again after the last."""

    def chamber(self, number: int) -> str:
        """Return the colour of chamber ``number``, from 0."""
        return self.chambers[number % len(self.chambers)]


_PALETTES: dict[Theme, Palette] = {
    "light": Palette(
        ink="#1c2430", ground="#ffffff", muted="#4d5866", grid="#e3e7ec", reference="#6b7480",
        empty="#eef0f3", hot="#e6007e",
        chambers=(
            "#d62728", "#b87700", "#0072b2", "#00875f",
            "#b8518b", "#2f8fc7", "#8c6d31", "#7f7f7f",
        ),
    ),
    "dark": Palette(
        ink="#e8edf3", ground="#161c23", muted="#a3afbd", grid="#29323d", reference="#9aa6b4",
        empty="#222a33", hot="#ff4fb0",
        chambers=(
            "#ff6b66", "#f2b134", "#4aa8e8", "#2fc79a",
            "#e59ac6", "#8fd0f5", "#c9a96a", "#a8a8a8",
        ),
    ),
}  # fmt: skip
"""Red, orange, blue, green first: told apart by colour-blind people in either theme, and each with
a contrast of 3:1 or more to the ground of a panel (WCAG 2.2, 1.4.11)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The choices that change a figure itself."""

    theme: Theme = "light"
    log: bool = False
    """Logarithmic counts."""
    unit: Unit = "counts"
    reference: bool = False
    """Draw the reference behind, and the ratio to it below."""
    clock: Clock = "run"
    """Time on the axes of the history: in the run, or of the day."""
    wall: bool = False
    """For a screen on the wall: the maps stand on the overview, too."""
    scale: float = 1.0
    """Size of texts, lines and marks, 1 on a desk."""

    @classmethod
    def parse(cls, choices: Mapping[str, str]) -> "Look":
        """Return the look of query parameters; what is missing has its default.

        Raises
        ------
        ValueError
            If a name or a value is not known.

        Examples
        --------
        >>> Look.parse({"theme": "dark", "log": "1"})  # doctest: +ELLIPSIS
        Look(theme='dark', log=True, ..., scale=1.0)
        """
        unknown = sorted(set(choices) - {field.name for field in fields(cls)})
        if unknown:
            known = ", ".join(field.name for field in fields(cls))
            raise ValueError(f"found {unknown[0]!r}, expected one of {known}")
        return cls(
            theme=_known("theme", choices.get("theme", "light"), _THEMES),
            log=_known("log", choices.get("log", "0"), _SWITCHES),
            unit=_known("unit", choices.get("unit", "counts"), _UNITS),
            reference=_known("reference", choices.get("reference", "0"), _SWITCHES),
            clock=_known("clock", choices.get("clock", "run"), _CLOCKS),
            wall=_known("wall", choices.get("wall", "0"), _SWITCHES),
            scale=_known("scale", choices.get("scale", "1"), _SCALES),
        )

    @property
    def palette(self) -> Palette:
        """The colours of the theme."""
        return _PALETTES[self.theme]


def _known(name: str, found: str, expected: Mapping[str, _T]) -> _T:
    if found not in expected:
        raise ValueError(f"{name}: found {found!r}, expected {' or '.join(expected)}")
    return expected[found]
