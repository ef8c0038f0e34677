"""The page's pure scripts, run in a real browser: numbers for people, axes, tables, history."""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import orjson
import pytest
from playwright.sync_api import Browser, Route

from muonscope.dashboard.assets import assets
from muonscope.dashboard.constants import constants

NONE = "\N{EN DASH}"

HOME = "http://127.0.0.1:1"
"""Nothing listens there: what is asked for is answered by the test."""

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def run(browser: Browser) -> Iterator[Run]:
    """Run a function of JavaScript that is given a module of the page, and arguments."""

    def answer(route: Route) -> None:
        name = route.request.url.rsplit("/", 1)[1]
        if name:
            route.fulfill(body=assets()[name].data, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    context = browser.new_context()
    page = context.new_page()
    page.route(f"{HOME}/**", answer)
    page.goto(f"{HOME}/")

    def run(module: str, function: str, *args: Any) -> Any:
        code = f"async (args) => ({function})(await import('/{module}.js'), ...args)"
        return page.evaluate(code, list(args))

    yield run
    context.close()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("clock(3723.4)", "1:02:03"), ("clock(59.99)", "0:00:59"), ("clock(360000)", "100:00:00"),
        ("clock(-1)", "-0:00:01"), ("clock(-3723)", "-1:02:03"), ("clock(NaN)", NONE),
        ("count(1234567.4)", "1,234,567"), ("count(NaN)", NONE),
        ("figures(123456)", "123,456"), ("figures(12.34)", "12.3"), ("figures(0)", "0.00"),
        ("figures(0.01234)", "0.0123"), ("figures(Infinity)", NONE),
        ("ago(-1)", "0.0 s"), ("ago(9.94)", "9.9 s"), ("ago(119)", "119 s"), ("ago(121)", "2 min"),
        ("ago(7200)", "2 h"), ("percent(1, 3)", "33.33 %"), ("percent(2, 2)", "100 %"),
        ("percent(0, 0)", NONE), ("fileName('run 1/x', null, 'a', 0)", "run_1_x-a-0"),
    ],
)  # fmt: skip
def test_numbers_for_people(run: Run, call: str, text: str) -> None:
    assert run("format", f"({{{call.split('(', maxsplit=1)[0]}}}) => {call}") == text


def test_axes_end_at_the_next_round_number(run: Run) -> None:
    values = [*np.geomspace(1e-6, 1e9, 200).tolist(), 1.0, 10.0, 1000.0]
    ends = run("scales", "({nice}, values) => values.map(nice)", values)
    for value, end in zip(values, ends, strict=True):
        assert value * (1 - 1e-9) <= end <= 1.6 * value
        decade = 10.0 ** math.floor(math.log10(end) + 1e-9)
        assert round(end / decade, 6) in {1, 1.5, 2, 3, 4, 5, 6, 8}
    assert run("scales", "({nice}) => [0, -1, NaN, Infinity].map(nice)") == [1, 1, 1, 1]


def test_decades_lie_below(run: Run) -> None:
    found = run("scales", "({decadeBelow}) => [0.1, 0.99, 1, 9.9, 10, 1000].map(decadeBelow)")
    assert found == pytest.approx([0.1, 0.1, 1, 1, 10, 1000])


def test_an_axis_grows_at_once_and_shrinks_late(run: Run) -> None:
    follow = (
        "({Follower}, most) => { const f = new Follower(); return most.map((m) => f.follow(m)) }"
    )
    ends = run("scales", follow, [1, 90, 50, *[10] * 9, 60, *[10] * 10, 10])
    assert ends == [1.5, *[100] * (1 + 1 + 9 + 1 + 9), 15, 15]


def test_an_axis_is_never_shorter_than_its_least(run: Run) -> None:
    assert run("scales", "({Follower}) => new Follower(10).follow(0)") == 10


def test_a_share_of_an_axis_is_left_for_what_stands_behind_a_bar(run: Run) -> None:
    code = "({ withRoom }, ...args) => withRoom(...args)"
    assert run("scales", code, 60.0, 0.0, 0.25) == 80.0
    high = run("scales", code, 1000.0, 0.5, 0.2)
    assert math.log(1000 / 0.5) / math.log(high / 0.5) == pytest.approx(0.8)
    assert run("scales", code, 0.0, 0.5, 0.2) == 0


def test_the_median_and_the_ends_leave_zeros_and_gaps_out(run: Run) -> None:
    code = (
        "(s) => [s.medianAboveZero([0, 5, 1, 9, 0]), s.medianAboveZero([0]), s.greatest([[1, NaN],"
    )
    code += " [Infinity, 7]]), s.leastAboveZero([[0, 3], [NaN, 2]]), s.leastAboveZero([[0]])]"
    assert run("scales", code) == [5, 0, 7, 2, 0]


def fill(run: Run, tags: dict[str, Any], table: dict[str, Any], **context: Any) -> Any:
    """Return the columns of a source; context as of tables.js."""
    given = {"unit": "counts", "live": 2.0, "reference": None} | context
    code = "({fill}, tags, table, context) => fill(tags, {}, table, context)"
    return run("tables", code, tags, table, given)


def test_rates_are_counts_by_live_time(run: Run) -> None:
    table = {"hits": [4, 0, 7]}
    counts = fill(run, {"counts": ["hits"]}, table)
    assert (counts["hits"], counts["hits_hz"]) == ([4, 0, 7], [2, 0, 3.5])
    hertz = fill(run, {"counts": ["hits"]}, table, unit="hz")
    assert (hertz["hits"], hertz["hits_n"]) == ([2, 0, 3.5], [4, 0, 7])
    assert fill(run, {"counts": ["hits"]}, table, live=0)["hits_hz"] == [0, 0, 0]


def test_of_events_the_rows_of_one_are_shown(run: Run) -> None:
    table = {
        "event": [0, 1, 1, 1], "view": [0, 0, 1, 0], "x_mm": [1, 2, 3, 4], "z_mm": [0, 10, 0, 0],
        "slope": [1, 0.5, 1, -2],
    }  # fmt: skip
    tags = {"only": {"view": [0, 7]}, "filled": ["x_mm", "x_low"], "reach": [0, 100]}
    found = fill(run, tags, table, event=1)
    assert found == {
        "x_mm": [2, 4], "x_low": [-3, 4], "z_low": [0, 0], "x_high": [47, -196],
        "z_high": [100, 100],
    }  # fmt: skip
    assert fill(run, tags, table, event=-1)["x_mm"] == []


def test_a_share_has_an_interval_where_there_is_enough(run: Run) -> None:
    tags = {"share": {"of": "seen", "in": "asked", "least": 10}}
    found = fill(run, tags, {"seen": [9, 95, 20], "asked": [9, 100, 20]})
    assert math.isnan(found["share"][0])
    assert found["share"][1:] == [0.95, 1.0]
    middle, half = (0.95 + 0.005) / 1.01, math.sqrt(0.95 * 0.05 / 100 + 0.25e-4) / 1.01
    assert found["share_low"][1] == pytest.approx(middle - half)
    assert found["share_high"][1] == pytest.approx(middle + half)
    assert found["share_high"][2] == pytest.approx(1.0)


def test_bins_are_joined_and_tails_gathered_without_loss(run: Run) -> None:
    hits = np.random.default_rng(1).integers(0, 100, 64).tolist()
    joined = fill(run, {"rebin": 5}, {"hits": hits})["hits"]
    assert joined == [sum(hits[i : i + 5]) for i in range(0, 64, 5)]
    folded = fill(run, {"fold": [1, 20]}, {"hits": hits})["hits"]
    assert folded == [*hits[1:20], sum(hits[20:])]


def test_a_reference_is_scaled_by_live_time(run: Run) -> None:
    reference = {"live_s": 10.0, "tables": {"plot": {"hits": [10, 0, 40]}}}
    tags = {"table": "plot", "counts": ["hits"], "reference": ["hits"]}
    found = fill(run, tags, {"hits": [4, 1, 40]}, reference=reference)
    assert found["hits_ref"] == [2, 0, 8]
    assert found["hits_ratio"][0] == 2
    assert math.isnan(found["hits_ratio"][1])
    assert found["hits_shown"][2] == 2  # the scale ends there; the ratio is 5
    other = fill(run, tags, {"hits": [4, 1]}, reference=reference)
    assert all(map(math.isnan, other["hits_ref"]))  # another binning compares with nothing


def test_a_reference_of_drift_times_is_scaled_by_the_scintillator(run: Run) -> None:
    reference = {"live_s": 10.0, "scintillator": 50, "tables": {"drift0": {"counts": [100, 20]}}}
    tags = {
        "table": "drift0", "counts": ["counts"], "reference": ["counts"], "per": "scintillator",
    }  # fmt: skip
    found = fill(run, tags, {"counts": [12, 2]}, reference=reference, scintillator=5)
    assert found["counts_ref"] == [10, 2]
    hertz = fill(run, tags, {"counts": [12, 2]}, reference=reference, scintillator=5, unit="hz")
    assert hertz["counts_ref"] == [5, 1]
    assert hertz["counts_ratio"] == found["counts_ratio"] == [1.2, 1]
    saved_before = {name: value for name, value in reference.items() if name != "scintillator"}
    old = fill(run, tags, {"counts": [12, 2]}, reference=saved_before, scintillator=5)
    assert old["counts_ref"] == [20, 4]


def test_of_too_many_bars_the_highest_are_kept(run: Run) -> None:
    time = list(range(1000))
    hits = np.random.default_rng(2).integers(0, 50, 1000).tolist()
    hits[617] = 99
    kept = fill(run, {"bars": 100}, {"time": time, "hits": hits})
    assert len(kept["hits"]) == 100
    assert kept["hits"] == [max(hits[i : i + 10]) for i in range(0, 1000, 10)]
    assert [hits[t] for t in kept["time"]] == kept["hits"]


def rows(first: int, n: int) -> dict[str, list[int]]:
    """Return windows of 1 s with three hits each."""
    at = range(first, first + n)
    places = {"run_s": list(at), "epoch": [1] * n, "window": list(at)}
    return places | {"live_s": [1] * n, "hits": [3] * n}


def test_the_history_takes_each_row_once(run: Run) -> None:
    code = """({Trend}, answer, updates) => {
      const trend = new Trend();
      trend.load(answer, 3600);
      return [updates.map((update) => trend.append(update)), trend.length, trend.next, trend.end];
    }"""
    updates = [
        {"first": 5, "columns": rows(5, 2)},
        {"first": 6, "columns": rows(6, 2)},  # one of them again
        {"first": 8, "columns": {}},
        {"first": 9, "columns": rows(9, 1)},  # 8 is missing
        {"first": 2, "columns": rows(2, 3)},  # all of them again, and not up to the end
    ]
    answer = {"next": 5, "columns": rows(0, 5)}
    assert run("trend", code, answer, updates) == [[True, True, True, False, False], 8, 8, 8]


def test_a_long_history_keeps_all_counts_in_fewer_rows(run: Run) -> None:
    n = 20_000
    code = """({Trend}, answer) => {
      const trend = new Trend();
      trend.load(answer, 1e9);
      const sum = (values) => values.reduce((a, b) => a + b, 0);
      const { columns } = trend;
      return [trend.length, sum(columns.hits), sum(columns.live_s), trend.end, columns.run_s[0]];
    }"""
    assert run("trend", code, {"next": n, "columns": rows(0, n)}) == [7500, 3 * n, n, n, 0]


def test_rates_of_the_history_and_its_gaps(run: Run) -> None:
    before, after = rows(0, 100), rows(500, 100)
    columns = {name: before[name] + after[name] for name in before}
    code = """({Trend}, answer) => {
      const trend = new Trend();
      trend.load(answer, 3600);
      return trend.rates(["hits"], 3600);
    }"""
    rates = run("trend", code, {"next": 200, "columns": columns})
    hits = np.array(rates["hits"], float)
    gaps = np.flatnonzero(np.isnan(hits))
    assert len(gaps) == 1
    assert rates["time"][gaps[0]] == 500
    assert set(np.delete(hits, gaps).tolist()) == {3.0}
    assert sum(x for x in rates["live_s"] if not math.isnan(x)) == 200


def test_the_history_finds_windows_and_times(run: Run) -> None:
    code = """({Trend}, answer) => {
      const trend = new Trend();
      trend.load(answer, 3600);
      return [
        trend.find({ epoch: 1, window: 3 }), trend.find({ epoch: 1, window: 99 }),
        trend.find({ epoch: 0, window: 3 }), trend.at(2.5), trend.at(-5), trend.at(99),
      ];
    }"""
    assert run("trend", code, {"next": 5, "columns": rows(0, 5)}) == [3, 4, -1, 2, 0, 4]


def test_a_last_window_in_which_the_run_ends_takes_no_detail_away(run: Run) -> None:
    columns: dict[str, Any] = rows(0, 20) | {"live_s": [*[1] * 19, 0.02]}
    code = """({Trend}, answer) => {
      const trend = new Trend();
      trend.load(answer, 3600);
      return [trend.end, trend.detailS];
    }"""
    found = run("trend", code, {"next": 20, "columns": columns})
    assert found == [20, 0.95 * 7500]


def test_a_history_is_that_of_one_run(run: Run) -> None:
    code = """async ({TrendLoader}, first, second) => {
      const { Trend } = await import("/trend.js");
      const trend = new Trend();
      const answers = [first, second];
      const free = [];
      window.fetch = () => new Promise((done) => free.push(() =>
        done({ ok: true, json: async () => answers[free.length - 1] })));
      let changed = 0;
      const loader = new TrendLoader(trend, {
        wantedS: () => 1000, end: () => 0, connected: () => true, changed: () => changed++,
      });
      loader.extend(); // asks for the first run, and is not answered yet
      loader.again();
      free[0]();
      while (free.length < 2) await new Promise((done) => setTimeout(done, 20));
      const between = trend.length;
      free[1]();
      while (trend.length === 0) await new Promise((done) => setTimeout(done, 20));
      return [between, trend.length, trend.next];
    }"""
    first, second = {"next": 40, "columns": rows(0, 40)}, {"next": 7, "columns": rows(0, 7)}
    assert run("trend-loader", code, first, second) == [0, 7, 7]


def test_an_answer_to_an_older_question_does_not_overwrite_the_newer(run: Run) -> None:
    code = """async ({Pause}) => {
      const asked = [];
      window.fetch = (url) => new Promise((done) => asked.push((window) =>
        done({ ok: true, json: async () => ({ view: "window", epoch: 0, window, run: "r" }) })));
      const timers = [];
      const { setTimeout } = window;
      window.setTimeout = (call) => timers.push(call);
      const shown = [];
      const pause = new Pause(() => shown.push(pause.document.window));
      for (const window of [1, 2]) {
        pause.show("window", { epoch: 0, window, run: null });
        timers.pop()();
      }
      window.setTimeout = setTimeout;
      const settled = () => new Promise((done) => setTimeout(done));
      asked[1](2);
      await settled();
      asked[0](1);
      await settled();
      return [asked.length, shown, pause.document.window];
    }"""
    assert run("pause", code) == [2, [2], 2]


def test_pauses_between_attempts_to_connect_grow_until_one_succeeds(run: Run) -> None:
    code = """async ({Connection}) => {
      const kept = [window.setTimeout, window.fetch, window.EventSource, Math.random];
      const worker = window.SharedWorker;
      window.SharedWorker = undefined; // as in browsers that have none
      const pauses = [], lines = [], sources = [];
      let due = null;
      Math.random = () => 0.5;
      window.fetch = async () => { throw new TypeError("nobody answers"); };
      window.EventSource = class {
        constructor() { sources.push(this); }
        addEventListener() {}
        close() {}
      };
      const settled = () => new Promise((done) => kept[0].call(window, done));
      window.setTimeout = (call, ms) => {
        if (ms < 15_000) [due, pauses[pauses.length]] = [call, ms]; // else the watch for silence
        return 0;
      };
      new Connection({ view: "run", lists: true }, { line: (line) => lines.push(line) });
      sources[0].onerror();
      for (let i = 0; i < 7; i++) { due(); await settled(); }
      window.fetch = async () => ({ ok: true, status: 200 });
      due();
      await settled();
      sources[1].onopen();
      sources[1].onerror();
      [window.setTimeout, window.fetch, window.EventSource, Math.random] = kept;
      window.SharedWorker = worker;
      return [pauses, sources.length, lines.slice(-2)];
    }"""
    pauses, sources, lines = run("connection", code)
    assert pauses == [500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000, 500]
    assert (sources, lines) == (2, ["connected", "disconnected"])


def test_scripts_have_the_constants_of_the_server_and_no_others(run: Run) -> None:
    told = run("constants", "(module) => ({ ...module })")
    assert told == orjson.loads(orjson.dumps(constants()))
    scripts = [asset.data.decode() for name, asset in assets().items() if "bokeh/" not in name]
    imported = " ".join(re.findall(r'import \{([^}]*)\} from "./constants.js"', " ".join(scripts)))
    assert set(re.findall(r"\w+", imported)) == set(told)


def test_doubts_stand_above_every_page_while_they_last(run: Run) -> None:
    code = """({showBanner}, doubts) => {
      document.body.innerHTML = '<p id="banner" hidden></p>';
      showBanner({line: "connected", past: null, view: "run", notice: "", doubts});
      const banner = document.getElementById("banner");
      return [banner.hidden, banner.textContent, banner.dataset.kind];
    }"""
    hidden, text, kind = run("notices", code, ["1% of the words are lost: do this", "<b>"])
    assert (hidden, kind) == (False, "problem")
    assert text == "Warning: 1% of the words are lost: do this. Warning: <b>."
    assert run("notices", code, []) == [True, "", ""]


@pytest.mark.parametrize(
    "fragment",
    [
        "#page=overview", "#page=chambers&view=run&unit=hz&log=1&chambers=0,2&theme=dark",
        "#page=trends&at=1.42&reference=1&show=trend_hits&span=600",
        "#page=trends&at=1.42.run.7&reference=1&show=trend_hits&span=600",
    ],
)  # fmt: skip
def test_an_address_says_what_was_chosen(run: Run, fragment: str) -> None:
    parts = run(
        "choices", "({parse, write}, text) => write(parse(text)).slice(1).split('&')", fragment
    )
    assert sorted(parts) == sorted(fragment[1:].split("&"))


def test_of_an_address_what_is_not_known_is_left(run: Run) -> None:
    text = "#page=nowhere&view=all&unit=kg&chambers=a&at=1&span=-5&show=<b>&__proto__=1&log=yes"
    assert run("choices", "({parse, write}, text) => write(parse(text))", text) == "#page=overview"
    asked = run("choices", "({parse}, text) => parse(text).span", "#span=9999999")
    assert asked == 62 * 86_400


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (100, 3000, [100, 200, 500, 1000, 2000]),
        (300, 900, [500]),
        (0.5, 2e6, [1, 10, 100, 1e3, 1e4, 1e5, 1e6]),
        (0.5, 4e7, [1, 100, 1e4, 1e6]),
        (0.001, 0.05, [0.001, 0.002, 0.005, 0.01, 0.02, 0.05]),
    ],
)
def test_logarithmic_axes_have_numbers(
    run: Run, low: float, high: float, ticks: list[float]
) -> None:
    found = run("scales", "({ logTicks }, low, high) => logTicks(low, high)", low, high)
    assert found == pytest.approx(ticks)


def test_chi_square_is_that_of_two_counts_scaled_to_each_other(run: Run) -> None:
    chance = np.random.default_rng(5)
    here, there = chance.poisson(80, 64), chance.poisson(200, 64)
    here[3], there[3] = 2, 3  # too few to tell anything
    reference = {"live_s": 50.0, "tables": {"cells0": {"hits": there.tolist()}}}
    kept = np.arange(64) != 3
    expected = ((here - 0.4 * there) ** 2 / (here + 0.4**2 * there))[kept].sum()
    for unit in ("counts", "hz"):
        context = {"unit": unit, "live": 20.0, "scintillator": 0, "reference": reference}
        found = run(
            "tables",
            """({ fill, chiSquare }, table, context) => {
              const tags = { table: "cells0", counts: ["hits"], reference: ["hits"] };
              return chiSquare(fill(tags, {}, table, context), "hits", context);
            }""",
            {"hits": here.tolist()},
            context,
        )
        assert found["n"] == 63
        assert found["sum"] == pytest.approx(expected)
    assert expected < 120  # that of equal rates


def test_a_reference_tells_the_rates_of_the_history(run: Run) -> None:
    reference = {
        "live_s": 10, "accounting": {"late": 5, "scintillator": 20},
        "tables": {"chambers": {"hits": [30, 50], "scint": [1, 2]}},
    }  # fmt: skip
    names = ["hits", "hits1", "scint", "scint0", "scintillator", "late", "orbits"]
    found = run(
        "reference",
        "({ referenceRate }, reference, names) => names.map((n) => referenceRate(reference, n))",
        reference,
        names,
    )
    assert found[:-1] == [8, 5, 0.3, 0.1, 2, 0.5]
    assert math.isnan(found[-1])


def test_silent_fpgas_and_resets_are_marked(run: Run) -> None:
    turns = [
        {"check": "fpga_silent", "target": "fpga1", "state": "BAD", "since_s": 4.0},
        {"check": "chamber_rate", "target": "ch1", "state": "BAD", "since_s": 4.0},
        {"check": "fpga_silent", "target": "fpga1", "state": "GOOD", "since_s": 7.0},
    ]
    columns = {
        "run_s": list(range(10)), "at": list(range(1000, 1010)), "epoch": [0] * 10,
        "window": list(range(10)), "live_s": [1] * 10,
    }  # fmt: skip
    found = run(
        "trend",
        """({ Trend }, columns, turns) => {
          const trend = new Trend();
          trend.load({ next: 10, columns }, 60);
          return [trend.marksOf(turns, 1005.2), trend.marksOf([], null)];
        }""",
        columns,
        turns,
    )
    assert [(m["run_s"], m["at"], m["text"]) for m in found[0]] == [
        (4, 1004, "fpga1 is silent"),
        (7, 1007, "fpga1 writes again"),
        (5, 1005.2, "the run view was begun anew"),
    ]
    assert found[1] == []
