"""A count that is added in one file: ``layers``, the hits of each layer of each chamber.

Nothing of muonscope knows it, and it is counted, merged, saved, published, read back, shown
in the dashboard's document, and drawn.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jsonschema
import numpy as np
import orjson
import pyarrow as pa
import pytest
from bokeh.plotting import figure

from helpers.simulated import BRIGHT, simulated_words
from muonscope.counting.block import (
    Block,
    Columns,
    Counts,
    Fragment,
    Message,
    Read,
    Shown,
    Table,
    Tables,
    Writer,
)
from muonscope.counting.blocks import BLOCKS
from muonscope.counting.counter import Counter
from muonscope.counting.hits import Hits
from muonscope.counting.panes import Panes
from muonscope.counting.summary import Summary, merged
from muonscope.counting.told import Told, array
from muonscope.counting.window_spec import WindowSpec
from muonscope.counting.window_table import WindowTable
from muonscope.dashboard import figures
from muonscope.dashboard.contract import encoded
from muonscope.dashboard.documents import view_document
from muonscope.dashboard.figures import Look, Plot, layout
from muonscope.dashboard.plot_kit import Axes, Paper, new_figure
from muonscope.detector import Detector, shipped_detector
from muonscope.engines.spark.worker import parts_of, rows_of
from muonscope.errors import FormatError, StateError
from muonscope.intake.batch import WordBatch
from muonscope.intake.checkpoints import Checkpoints
from muonscope.intake.streams import StreamIntake
from muonscope.processing.outputs import Output, Restored
from muonscope.processing.run import Run
from muonscope.results.message import message_schema, window_messages
from muonscope.results.read_message import Remainder, WindowResult, read_result
from muonscope.results.store import ResultStore
from muonscope.stream.messages import Part
from muonscope.transports.memory import MemoryLedger, MemorySource
from muonscope.words.layout import Words
from muonscope.words.rejects import Rejects

_LAYERS = 4


class Layers(Block):
    """Hits per layer: ``layer_hits``."""

    name = "layers"
    needs_hits = True

    def shapes(self, detector: Detector) -> dict[str, tuple[int, ...]]:
        return {"layer_hits": (detector.n_chambers, _LAYERS)}

    def count(self, detector: Detector, panes: Panes, hits: Hits | None) -> Columns:
        assert hits is not None
        pane = np.repeat(np.arange(len(panes)), np.diff(hits.ends, prepend=0))
        layer = detector.cells().layer - detector.cells().layer.min()
        counts = np.zeros((len(panes), *self.shapes(detector)["layer_hits"]), np.int64)
        own = hits.own
        np.add.at(counts, (pane[own], hits.chamber[own], layer[hits.cell[own]]), 1)
        return {"layer_hits": counts}

    def writer(self, table: Table, *, max_drift_times: int) -> Writer:
        counts = table.columns["layer_hits"]

        def write(i: int, _: Message, chambers: Sequence[Message]) -> None:
            for c, chamber in enumerate(chambers):
                chamber["layers"] = counts[i, c]

        return write

    def read(self, told: Told) -> Read:
        found = [
            array(chamber, "layers", f"chamber{c}.", _LAYERS)
            for c, chamber in enumerate(told.chambers)
        ]
        return Read(arrays={"layer_hits": np.stack(found)})

    def schema(self) -> Fragment:
        numbers = {"type": "array", "items": {"type": "integer", "minimum": 0}}
        return Fragment(chamber={"layers": numbers | {"minItems": 4, "maxItems": 4}})

    def tables(self, shown: Shown) -> Tables:
        counts = shown.summary.arrays["layer_hits"]
        return {f"layers{c}": {"hits": row} for c, row in enumerate(counts)}

    def trend(self, counts: Counts) -> dict[str, int]:
        hits = counts.arrays["layer_hits"].sum(axis=0).tolist()
        return {f"layer{n}": total for n, total in enumerate(hits)}


def layers(paper: Paper) -> figure:
    """Draw the hits per layer of one chamber."""
    made = new_figure(
        paper,
        Axes(x_label="layer [number]", y_label=paper.counted("hits")),
        scale={"columns": ["hits"]},
    )
    source = paper.source(
        f"layers{paper.number}", {"layer": [0, 1, 2, 3]}, ("hits",), counts=["hits"]
    )
    made.vbar(x="layer", top="hits", source=source)
    return made


WITH_LAYERS = (*BLOCKS, Layers())
LEGNARO = shipped_detector("legnaro")
WORDS = simulated_words(6000, profile=BRIGHT)


def expected() -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the hits of each layer by counting words one by one."""
    cells, counts = LEGNARO.cells(), np.zeros((LEGNARO.n_chambers, _LAYERS), np.int64)
    place = {
        (int(f), int(n)): i for i, (f, n) in enumerate(zip(cells.fpga, cells.channel, strict=True))
    }
    for word in WORDS.tolist():
        cell = place.get((word >> 58 & 7, word >> 49 & 511))
        if cell is not None and word >> 61 == LEGNARO.readout.hit_head:
            counts[cells.chamber[cell], cells.layer[cell] - cells.layer.min()] += 1
    return counts


def counted(window_s: float = 0.1, step: int = 997) -> tuple[WindowTable, Counter]:
    """Return the windows of the words, and the counter."""
    counter = Counter(LEGNARO, WindowSpec(window_s=window_s), WITH_LAYERS)
    tables = [counter.push(WORDS[at : at + step]) for at in range(0, len(WORDS), step)]
    rows = [row for table in [*tables, counter.finish()] for row in table]
    return (
        WindowTable.of(LEGNARO, counter.spec.window_orbits, rows, blocks=WITH_LAYERS),
        counter,
    )


@pytest.mark.parametrize("window_s", [0.1, 4.0])
def test_it_is_counted_and_merged(window_s: float) -> None:
    table, counter = counted(window_s)
    total = table.total().merge(counter.remainder)
    assert np.array_equal(total.arrays["layer_hits"], expected())
    whole = merged([row.summary for row in table], LEGNARO, WITH_LAYERS)
    assert np.array_equal(whole.arrays["layer_hits"], expected())
    assert np.array_equal(
        table.columns["layer_hits"].sum(axis=2), [row.summary.hits_per_chamber for row in table]
    )


def test_the_other_counts_are_those_without_it() -> None:
    plain = Counter(LEGNARO, WindowSpec(window_s=0.1))
    rows = [*plain.push(WORDS), *plain.finish()]
    for with_layers, row in zip(counted()[0], rows, strict=True):
        assert with_layers.window == row.window
        for name, array_ in row.summary.arrays.items():
            assert np.array_equal(with_layers.summary.arrays[name], array_)


def test_it_is_published_and_read_back() -> None:
    table, _ = counted()
    for line, row in zip(window_messages(table, "r"), table, strict=True):
        jsonschema.validate(
            orjson.loads(line), message_schema(WITH_LAYERS), jsonschema.Draft202012Validator
        )
        told = read_result(line, LEGNARO, WITH_LAYERS)
        assert isinstance(told, WindowResult)
        assert told.summary == row.summary.condensed()
        plain = read_result(line, LEGNARO)
        assert "layer_hits" not in plain.summary.arrays


@pytest.mark.parametrize("value", [None, [1, 2, 3], [1, 2, 3, -1], [1, 2, 3, True]])
def test_what_is_no_such_count_is_refused_with_its_place(value: object) -> None:
    message = orjson.loads(next(window_messages(counted()[0], "r")))
    message["chamber2"]["layers"] = value
    with pytest.raises(FormatError, match=r"chamber2.layers: found .*, expected"):
        read_result(orjson.dumps(message), LEGNARO, WITH_LAYERS)


def test_it_is_in_the_dashboards_document_and_history() -> None:
    store = ResultStore(LEGNARO, blocks=WITH_LAYERS)
    for line in window_messages(counted()[0], "r"):
        store.take(line)
    for name in ("run", "recent"):
        view = store.view(name)
        assert view is not None
        tables = orjson.loads(encoded(view_document(view)))["tables"]
        assert [tables[f"layers{c}"]["hits"] for c in range(4)] == expected().tolist()
    columns = store.history.columns(1e9)
    assert [columns[f"layer{n}"].sum() for n in range(4)] == expected().sum(axis=0).tolist()
    latest = store.latest
    assert latest is not None
    kept = store.kept("recent", latest.place)
    assert kept is not None
    assert kept.view().summary.arrays["layer_hits"].sum() == expected().sum()


def test_a_plot_of_it_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    plot = Plot(page="chambers", title="Hits per layer", draw=layers, per_chamber=True)
    monkeypatch.setitem(figures.PLOTS, "layers", plot)
    page = orjson.loads(layout("chambers", Look(), LEGNARO))
    panels = [panel for panel in page["panels"] if panel["plot"] == "layers"]
    assert [panel["name"] for panel in panels] == [f"layers{c}" for c in range(4)]
    assert page["docs"] is not None


class Parts:
    """Words as Spark's driver gets them from its workers, for a run."""

    def __init__(self, words: Words = WORDS) -> None:
        self._words = words

    def batches(self) -> Any:
        parts = [
            Part(
                partition=0, begin=at, end=at + 500, messages=1, size=4000, time_ms=0,
                words=self._words[at : at + 500], rejects=(), number=None, poison=(),
            )
            for at in range(0, len(self._words), 500)
        ]  # fmt: skip
        table = pa.Table.from_batches([rows_of(parts)])
        for part in parts_of(table):
            yield WordBatch(words=part.words)


def run_of(
    source: Any,
    ledger: MemoryLedger,
    *,
    window_s: float = 0.1,
    restored: Restored | None = None,
) -> Run:
    """Return a run that counts layers too."""
    counter = Counter(LEGNARO, WindowSpec(window_s=window_s), WITH_LAYERS)
    return Run("r", source, counter, Output(ledger=ledger, restored=restored))


def words_in_memory() -> StreamIntake:
    """Return a source of the words and some that are none."""
    streams = {"a": WORDS.tobytes() + b"cut"}
    due = Checkpoints(lambda: 0.0)
    return StreamIntake(MemorySource(streams, 4000), LEGNARO.readout, checkpoints=due)


@pytest.mark.parametrize("source", [words_in_memory, Parts])
def test_a_run_of_either_engine_counts_it(source: Any) -> None:
    ledger = MemoryLedger()
    run = run_of(source(), ledger)
    for _ in run.steps():
        pass
    whole = run.finish()
    assert np.array_equal(whole.arrays["layer_hits"], expected())
    results = [read_result(line, LEGNARO, WITH_LAYERS) for line in ledger.messages]
    total = merged([r.summary for r in results], LEGNARO, WITH_LAYERS)
    assert np.array_equal(total.arrays["layer_hits"], expected())
    assert isinstance(results[-1], Remainder) == (source is words_in_memory)


def state_in_mid_run() -> dict[str, Any]:
    """Return the state of a run some panes of whose window of four seconds are closed."""
    counter, at = Counter(LEGNARO, WindowSpec(window_s=4.0), WITH_LAYERS), 0
    while not len(counter._partial):
        counter.push(WORDS[at : at + 500])
        at += 500
    ledger = MemoryLedger()
    run = run_of(Parts(WORDS[:at]), ledger, window_s=4.0)
    for _ in run.steps():  # to its end: before, the counter is ahead of what was published
        pass
    run.save()
    assert ledger.state is not None
    return {name: array.copy() for name, array in ledger.state[1].items()}


def test_a_counter_goes_on_from_a_state() -> None:
    arrays = state_in_mid_run()
    assert arrays["partial_layer_hits"].sum() > 0
    assert arrays["total_layer_hits"].sum() == 0
    counter = Counter(LEGNARO, WindowSpec(window_s=4.0), WITH_LAYERS)
    counter.restore(arrays)
    rest = [*counter.push(WORDS[counter.words_in :]), *counter.finish()]
    plain, _ = counted(4.0)
    assert [row.summary for row in rest] == [row.summary for row in plain]


@pytest.mark.parametrize("broken", ["partial_layer_hits", "total_layer_hits", "partial_orbit_ends"])
@pytest.mark.parametrize("how", ["missing", "shape", "type"])
def test_a_state_of_other_counts_is_refused(broken: str, how: str) -> None:
    arrays = state_in_mid_run()
    match how:
        case "missing":
            del arrays[broken]
        case "shape":
            arrays[broken] = arrays[broken][..., :3]
        case _:
            arrays[broken] = arrays[broken].astype(np.float64)
    state = Restored(positions={}, windows=0, rejects=Rejects(), arrays=arrays)
    with pytest.raises(StateError, match=f"saved state: .*{broken}.*expected"):
        run_of(words_in_memory(), MemoryLedger(), window_s=4.0, restored=state)


def test_lists_that_lack_an_end_are_refused() -> None:
    arrays = state_in_mid_run()
    arrays["partial_orbits"] = arrays["partial_orbits"][:-1]
    with pytest.raises(StateError, match="saved state: partial_orbits: found shape"):
        Counter(LEGNARO, WindowSpec(window_s=4.0), WITH_LAYERS).restore(arrays)


def test_summaries_of_different_counts_cannot_be_merged() -> None:
    with_layers = Summary.empty(LEGNARO, WITH_LAYERS)
    assert with_layers != Summary.empty(LEGNARO)
    with pytest.raises(ValueError, match="not all summaries have the blocks"):
        Summary.empty(LEGNARO).merge(with_layers)
    assert replace(with_layers, live_orbits=3).merge(with_layers).live_orbits == 3


def test_counts_of_a_part_of_the_blocks_are_the_same() -> None:
    some = tuple(block for block in BLOCKS if block.name in {"words", "multiplicity"})
    counter, plain = Counter(LEGNARO, None, some), Counter(LEGNARO)
    rows = zip([*counter.push(WORDS), *counter.finish()], [*plain.push(WORDS), *plain.finish()],
               strict=True)  # fmt: skip
    for row, full in rows:
        names = {"class_words", "other_words", "multiplicity", "crowded"}
        assert row.summary.arrays.keys() == names
        assert np.array_equal(row.summary.multiplicity, full.summary.multiplicity)
