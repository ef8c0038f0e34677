"""Checks that are no counts against a rate: pauses, drift box, integrity, dead cells."""

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.quality.box import LEAST_ENTRIES, BoxTemplates
from muonscope.quality.check import Check, Found, Quiet, Setting
from muonscope.quality.seen import BAD_WORDS, Seen
from muonscope.quality.sequential import Rule, SequentialTest
from muonscope.quality.verdict import State

__all__ = ["ChamberCells", "DriftBox", "FpgaPauses", "Integrity"]

Array = npt.NDArray[Any]


class FpgaPauses(Check):
    """The time that each FPGA is not alive while the telescope is."""

    name = "fpga_pauses"

    def __init__(self, setting: Setting) -> None:
        """Begin without a window."""
        numbers, lanes = setting.settings.numbers, setting.layout.lanes
        self._part = numbers["part"]
        self.targets = tuple(f"fpga{fpga}" for fpga in lanes)
        rule = Rule(ratio=2.0, state=State.WARN)
        self._test = SequentialTest([rule], len(lanes), numbers["seconds"])

    def step(self, seen: Seen, quiet: Quiet) -> None:
        """Take a window."""
        dead = np.maximum(0.0, seen.live_s - seen.lane_live_s)
        grows = dead - self._part * seen.live_s
        e = np.full(len(dead), self._part * seen.live_s)
        frozen = quiet.lanes | (seen.lane_words == 0) | (not seen.tells_all)
        self._test.step_scores(grows[None], dead, e, seen.live_s, frozen)
        self._test.informed += np.where(frozen, 0.0, seen.live_s)

    def states(self) -> Array:
        """Return the state of each target."""
        return self._test.states()

    def found(self, target: int) -> Found:
        """Return what there is to say of a target."""
        dead, span = (float(x[0, target]) for x in (self._test.counted, self._test.span_s))
        text = (
            f"FPGA {self.targets[target][4:]}: silent for {dead:.2f} s of {span:.1f} s,"
            f" expected at most {self._part:.0%}"
        )
        state = State(int(self.states()[target]))
        score = float(self._test.score[0, target] / self._test.limit)
        return Found(state, text, dead, self._part * span, "s", span, score)


class DriftBox(Check):
    """Drift times of each chamber against the reference's box, shifted or stretched."""

    name = "drift_box"
    needs_reference = True

    def __init__(self, setting: Setting) -> None:
        """Begin without a window."""
        numbers, layout = setting.settings.numbers, setting.layout
        self._layout = layout
        self.targets = tuple(f"ch{c}" for c in range(layout.n_chambers))
        kinds = (("warn", State.WARN), ("bad", State.BAD))
        shifts = [(sign * numbers[f"{k}_ns"], s) for k, s in kinds for sign in (-1, 1)]
        stretches = [(1 + sign * numbers[f"{k}_stretch"], s) for k, s in kinds for sign in (-1, 1)]
        states = [state for _, state in shifts + stretches]
        self._templates = BoxTemplates(
            setting.reference.box, [ns for ns, _ in shifts], [f for f, _ in stretches]
        )
        self._names = [f"{abs(ns):g} ns {'earlier' if ns < 0 else 'later'}" for ns, _ in shifts]
        self._names += [
            f"{abs(f - 1):.0%} {'shorter' if f < 1 else 'longer'}" for f, _ in stretches
        ]
        rules = [Rule(ratio=0.5, state=state) for state in states]
        limit = setting.limit(layout.n_chambers)  # its hypotheses are much the same question
        self._test = SequentialTest(rules, layout.n_chambers, limit)
        self._off = self._templates.entries < LEAST_ENTRIES
        self._since = np.zeros(setting.reference.box.shape, np.int64)

    def step(self, seen: Seen, quiet: Quiet) -> None:
        """Take a window."""
        frozen = quiet.chambers | quiet.moved | self._off
        grows = self._templates.scores(seen.box)
        entries = seen.box[:, 1:-1].sum(axis=1)
        self._test.step_scores(grows, entries, np.zeros(len(entries)), seen.live_s, frozen)
        rests = (self._test.score == 0).all(axis=0) & ~self._test.alarms.any(axis=0)
        self._since = np.where(rests[:, None], 0, self._since + seen.box)
        self._test.informed += np.where(frozen, 0.0, self._templates.expected_score(entries))

    def states(self) -> Array:
        """Return the state of each target."""
        return self._test.states()

    def found(self, target: int) -> Found:
        """Return what there is to say of a target."""
        i, state = self._test.rule_of(target), State(int(self.states()[target]))
        n, span = (float(x[i, target]) for x in (self._test.counted, self._test.span_s))
        best = self._templates.best_shift(target, self._since[target])
        text = (
            f"chamber {target}: {n:,.0f} drift times in {span:,.1f} s fit a box that is"
            f" {self._names[i]} than the reference's; moved alone, best by {best:+.0f} ns"
        )
        score = float(self._test.score[i, target] / self._test.limit)
        return Found(state, text, best, 0.0, "ns", span, score)


class Integrity(Check):
    """Words that a healthy run does not have, in the last minute."""

    name = "integrity"
    targets = BAD_WORDS
    _MINUTE_S = 60.0

    def __init__(self, setting: Setting) -> None:
        """Begin without a window."""
        numbers = setting.settings.numbers
        self._few, self._part = numbers["few"], numbers["part"]
        self._usual = setting.reference.bad_share
        self._kept: deque[tuple[float, Array, int]] = deque()
        self._n, self._words, self._span_s = np.zeros(len(BAD_WORDS), np.int64), 0, 0.0

    def step(self, seen: Seen, quiet: Quiet) -> None:
        """Take a window."""
        self._kept.append((seen.live_s, seen.bad_words, seen.words))
        self._add(seen.live_s, seen.bad_words, seen.words)
        while len(self._kept) > 1 and self._span_s > self._MINUTE_S:
            span_s, n, words = self._kept.popleft()
            self._add(-span_s, -n, -words)

    def _add(self, span_s: float, n: Array, words: int) -> None:
        self._span_s, self._n, self._words = self._span_s + span_s, self._n + n, self._words + words

    def states(self) -> Array:
        """Return the state of each target."""
        usual = 3 * self._usual * self._words
        some = self._n >= self._few + usual
        many = some & (self._n > self._part * self._words + usual)
        return np.where(many, State.BAD, np.where(some, State.WARN, State.GOOD))

    def found(self, target: int) -> Found:
        """Return what there is to say of a target."""
        n, usual = int(self._n[target]), float(self._usual[target] * self._words)
        share = n / max(1, self._words)
        text = (
            f"{n:,} {self.targets[target]} words in {self._span_s:,.0f} s, {share:.2%} of all,"
            f" expected {usual:,.0f}"
        )
        state = State(int(self.states()[target]))
        limit = max(self._few, self._part * self._words) + 3 * usual
        return Found(state, text, n, usual, "words", self._span_s, n / limit)


class ChamberCells(Check):
    """The dead cells of each chamber, all together and side by side."""

    name = "chamber_cells"

    def __init__(self, setting: Setting, cells: Check) -> None:
        """Begin; ``cells`` is the check that finds dead ones."""
        numbers = setting.settings.numbers
        self._part, self._neighbours = numbers["dead"], numbers["neighbours"]
        self._layout, self._cells = setting.layout, cells
        layout = setting.layout
        wires = setting.reference.detector.cells().wire
        self._rows = [
            [np.flatnonzero((layout.layer_of_cell == g) & (layout.chamber_of_cell == c))
             for g in np.unique(layout.layer_of_cell[layout.chamber_of_cell == c])]
            for c in range(layout.n_chambers)
        ]  # fmt: skip
        self._rows = [[row[np.argsort(wires[row])] for row in rows] for rows in self._rows]
        self.targets = tuple(f"ch{c}" for c in range(layout.n_chambers))
        self._dead = np.zeros(layout.n_cells, np.bool_)

    def step(self, seen: Seen, quiet: Quiet) -> None:
        """Take a window."""
        self._dead = self._cells.states() == State.BAD

    def states(self) -> Array:
        """Return the state of each target."""
        if not self._dead.any():
            return np.zeros(len(self.targets), np.int64)
        return np.array([self._state(c) for c in range(len(self.targets))])

    def _state(self, chamber: int) -> State:
        dead, run = self._count(chamber)
        cells = sum(map(len, self._rows[chamber]))
        if dead > self._part * cells or run >= self._neighbours:
            return State.BAD
        return State.WARN if dead else State.GOOD

    def _count(self, chamber: int) -> tuple[int, int]:
        """Return the dead cells, and the longest run of neighbours among them."""
        longest = 0
        for row in self._rows[chamber]:
            run = 0
            for dead in self._dead[row].tolist():
                run = run + 1 if dead else 0
                longest = max(longest, run)
        return int(sum(self._dead[row].sum() for row in self._rows[chamber])), longest

    def found(self, target: int) -> Found:
        """Return what there is to say of a target."""
        dead, run = self._count(target)
        cells = sum(map(len, self._rows[target]))
        text = (
            f"chamber {target}: {dead} of {cells} cells are dead, {run} side by side"
            f" (bad: more than {self._part * cells:.0f}, or {self._neighbours:.0f} side by side)"
        )
        return Found(self._state(target), text, dead, 0.0, "cells", 0.0, dead / cells)
