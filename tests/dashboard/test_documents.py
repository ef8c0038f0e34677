"""What programs read: answers that are as the OpenAPI document says, and metrics."""

from typing import Any

import jsonschema
import pytest
from msgspec.structs import asdict
from prometheus_client.parser import text_string_to_metric_families
from starlette.routing import Mount

from dashboard.asking import Client, client_of
from dashboard.lives import LEGNARO, Clock, fed, live_of, window
from helpers.window_messages import ends_of
from muonscope.dashboard.contract import VIEWS
from muonscope.dashboard.live import Live
from muonscope.detector import setup_names, shipped_detector
from muonscope.results.message import ByteAccounting
from muonscope.results.store import ResultStore
from muonscope.transports.base import SourceStatus
from muonscope.wall_time import seconds_of


def described(openapi: dict[str, Any], path: str, status: str = "200") -> dict[str, Any]:
    """Return the schema of an answer, with all it refers to."""
    answer = openapi["paths"][path]["get"]["responses"][status]["content"]["application/json"]
    return {**answer["schema"], "components": openapi["components"]}


def full_live() -> Live:
    """Return a state in which every part of the documents has something."""
    clock, store = Clock(), ResultStore(LEGNARO)
    store.take(window(7))
    live = live_of(clock=clock, reference=store.view("run"), version="1.2.3", config={"a": None})
    for n in range(4):
        clock.now += 1.0
        fed(
            live, [window(n), b"garbage"], clock, words=n * 1000, notes=["a note"],
            bytes=ByteAccounting(bytes_in=5, bytes_decoded=3, bytes_rejected=2, rejects={"X": 1}),
            sources=[SourceStatus(name="t", partition=0, read=5, behind=3, unit="messages")],
        )  # fmt: skip
        clock.now += 0.004  # between the words and the broadcast
        live.renew_rows()
    live.reset()
    return live


@pytest.mark.parametrize("state", ["full", "empty", "stopped"])
def test_the_answers_are_as_the_openapi_document_says(state: str) -> None:
    live = full_live() if state == "full" else live_of()
    if state == "stopped":
        live = live_of([window(0), ends_of()])
    client = client_of(live)
    openapi = client.get("/api/v1/openapi.json").json()
    asked = [
        ("/summary", f"summary?view={name}") for name in VIEWS
    ] + [("/windows", "windows"), ("/detector", "detector"), ("/health", "health"),
         ("/reference", "reference"), ("/windows/{epoch}/{window}", "windows/0/0"),
         ("/windows", "windows?last=x"), ("/openapi.json", "openapi.json"),
         ("/windows", "windows?from=2023-11-14&to=1800000000"), ("/windows", "windows?from=x"),
         ("/channels/{chamber}/{channel}", "channels/0/3"), ("/events", "events?last=99999999"),
         ("/channels/{chamber}/{channel}", "channels/0/200"), ("/events", "events")]  # fmt: skip
    for path, query in asked:
        answer = client.get(f"/api/v1/{query}")
        schema = described(openapi, path, str(answer.status_code))
        jsonschema.validate(answer.json(), schema, jsonschema.Draft202012Validator)
    assert openapi["info"]["version"] == live.options.version


@pytest.mark.parametrize("name", setup_names())
def test_every_detector_is_as_the_openapi_document_says(name: str) -> None:
    client = client_of(live_of(detector=shipped_detector(name)))
    schema = described(client.get("/api/v1/openapi.json").json(), "/detector")
    jsonschema.validate(
        client.get("/api/v1/detector").json(), schema, jsonschema.Draft202012Validator
    )


def test_the_openapi_document_names_every_route_of_the_api() -> None:
    client = client_of(archive="archive")
    openapi = client.get("/api/v1/openapi.json").json()
    jsonschema.Draft202012Validator.check_schema({"$defs": openapi["components"]["schemas"]})
    assert openapi["openapi"].startswith("3.1")
    assert openapi["info"]["version"] == "1.2.3"
    (mount,) = (r for r in client.app.routes if isinstance(r, Mount) and r.path == "/api/v1")
    paths = {getattr(route, "path", "") for route in mount.routes}
    assert set(openapi["paths"]) == paths | {"/stream", "/metrics"}
    beside = {p for p, told in openapi["paths"].items() if told.get("servers")}
    assert beside == {"/stream", "/metrics"}


def test_what_the_schemas_do_not_know_is_refused(client: Client) -> None:
    openapi = client.get("/api/v1/openapi.json").json()
    for path, query in (("/summary", "summary"), ("/health", "health"), ("/windows", "windows")):
        told = client.get(f"/api/v1/{query}").json() | {"unknown": 1}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(told, described(openapi, path), jsonschema.Draft202012Validator)


def samples(client: Client) -> dict[tuple[str, str], float]:
    """Return the value of each sample by its name and its labels in order."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_the_metrics_are_the_numbers_of_the_status() -> None:
    live = full_live()
    found, status = samples(client_of(live)), live.status(0)
    assert status.rates
    account = asdict(status.accounting)
    assert sum(v for (name, _), v in found.items() if name == "muonscope_words_total") == (
        account.pop("words_in")
    )
    for kind, n in account.items():
        assert found["muonscope_words_total", kind] == n
    chambers = [c.label for c in LEGNARO.chambers]
    assert sum(found["muonscope_hits_total", c] for c in chambers) == status.accounting.hits
    assert found["muonscope_windows_total", ""] == 4
    assert found["muonscope_messages_dropped_total", "malformed"] == 4
    assert found["muonscope_bytes_total", "rejected"] == 2
    assert found["muonscope_rejects_total", "X"] == 1
    assert found["muonscope_behind_messages", "0,t"] == 3
    assert found["muonscope_viewers", ""] == 0
    assert found["muonscope_lag_seconds", ""] == status.lag_s
    assert status.age_s == 0.004
    came = seconds_of(status.now) - status.age_s
    assert found["muonscope_last_window_timestamp_seconds", ""] == pytest.approx(came)
    assert found["muonscope_window_latency_seconds_bucket", "0.025"] == 4
    assert found["muonscope_window_latency_seconds_count", ""] == 4
    assert found["muonscope_window_latency_seconds_sum", ""] == pytest.approx(0.016, rel=1e-4)
    assert found["muonscope_rate_hertz", chambers[0]] == status.rates.chambers[0]
    assert found["muonscope_verdict", status.verdict] == 1
    judged = live.problems().chambers
    assert found["muonscope_chamber_verdict", f"{chambers[0]},{judged[0].state}"] == 1
    assert found["muonscope_cells", f"{chambers[0]},dead"] == 0
    assert ("process_resident_memory_bytes", "") in found
    assert found["muonscope_state", "receiving"] == 1
    assert sum(v for (name, _), v in found.items() if name == "muonscope_state") == 1


def test_there_are_metrics_without_data() -> None:
    found = samples(client_of(live_of()))
    assert found["muonscope_state", "waiting"] == 1
    assert ("muonscope_lag_seconds", "") not in found


def test_labels_of_metrics_hold_whatever_text_there_is() -> None:
    nasty = 'a "quote" \\ and\na line'
    source = SourceStatus(name=nasty, read=1, behind=2)
    live = fed(live_of(), [], Clock(), sources=[source])
    assert samples(client_of(live))["muonscope_behind_bytes", f",{nasty}"] == 2
