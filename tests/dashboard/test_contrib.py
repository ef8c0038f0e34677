"""What is shipped for Prometheus and Grafana names metrics, labels and states that there are."""

import re
from pathlib import Path

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dashboard.test_documents import full_live
from muonscope.alarms.config import SEVERITIES
from muonscope.alarms.engine import AlarmCounts
from muonscope.dashboard.contract import STATES
from muonscope.dashboard.metrics import metrics
from muonscope.dashboard.verdict_contract import VERDICTS

CONTRIB = Path(__file__).parents[2] / "contrib"
FILES = ("grafana.json", "prometheus-rules.yml")

_SELECTED = re.compile(r"\b((?:muonscope|process)_[a-z_]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|=|!=|!~)\s*"([^"]*)"')


def served() -> dict[str, list[dict[str, str]]]:
    """Return the labels of all samples, by name."""
    found: dict[str, list[dict[str, str]]] = {}
    alarms = AlarmCounts(firing=dict.fromkeys(SEVERITIES, 1), failed=2)
    text = metrics(full_live().measured(0)._replace(alarms=alarms)).decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def expressions(name: str) -> list[str]:
    """Return the queries in a file."""
    text = (CONTRIB / name).read_text("utf-8")
    if name.endswith(".json"):
        panels = orjson.loads(text)["panels"]
        return [target["expr"] for panel in panels for target in panel["targets"]]
    return re.findall(r"^\s+expr: (.+)$", text, re.MULTILINE)


@pytest.mark.parametrize("name", FILES)
def test_each_metric_exists_with_its_labels(name: str) -> None:
    there, queries = served(), expressions(name)
    assert len(queries) > 8
    for query in queries:
        for metric, selector in _SELECTED.findall(query):
            if metric == "muonscope_behind_bytes":
                continue  # only of files; the sources of this test are a topic's
            assert metric in there, query
            for label, how, value in _MATCHER.findall(selector):
                if label in {"instance", "job"}:  # Prometheus adds them
                    continue
                values = {labels[label] for labels in there[metric]}
                wanted = value.split("|") if how == "=~" else [value]
                known = values | {"rejected"} | set(STATES) | set(VERDICTS)
                assert set(wanted) <= known, query


def test_every_metric_of_a_verdict_is_on_the_board() -> None:
    queries = " ".join(expressions("grafana.json"))
    for metric in ("muonscope_verdict", "muonscope_chamber_verdict", "muonscope_check_score_ratio"):
        assert metric in queries
    panels = orjson.loads((CONTRIB / "grafana.json").read_bytes())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] for panel in panels)
