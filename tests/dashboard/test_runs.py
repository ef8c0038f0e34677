"""The page of runs: the API of an archive, and the dashboards of its runs."""

import shutil
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

import muonscope
from dashboard.asking import Client, client_of
from dashboard.lives import live_of
from dashboard.serving import serving, until
from muonscope.archiving.archive import Archive
from muonscope.dashboard.runs_contract import RunDetail, Runs

HEADERS = {"X-Muonscope": "1"}
SOURCE = "sim:quiet?seconds=150&seed=5"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of two short runs, one with a name that paths cannot hold as it is."""
    tmp_path = tmp_path_factory.mktemp("runs")
    path = tmp_path / "archive"
    for run in ("R1", "night/2 %41"):
        to = tmp_path / "results.jsonl"
        muonscope.process(
            SOURCE, to=to, run=run, archive=path, without=["tracking"], force=True,
            condition=("hv=3600",),
        )  # fmt: skip
    return path


@pytest.fixture
def archive(written: Path, tmp_path: Path) -> Path:
    """A copy of it, to write to."""
    return Path(shutil.copytree(written, tmp_path / "archive"))


@pytest.fixture
def client(archive: Path) -> Client:
    return client_of(archive=str(archive))


def asked(client: Client, path: str) -> Any:
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_list_has_each_run_and_its_numbers(client: Client, archive: Path) -> None:
    told = asked(client, "runs")
    assert msgspec.convert(told, Runs).damaged == []
    assert [row["run"] for row in told["runs"]] == ["night/2 %41", "R1"]
    with Archive(archive) as found:
        total = found["R1"].total()
    row = told["runs"][1]
    assert (row["hits"], row["windows"]) == (total.total_hits, found_windows(archive))
    assert row["conditions"] == {"hv": "3600"}
    assert row["ended"]


def found_windows(archive: Path) -> int:
    with Archive(archive) as found:
        return found["R1"].windows


def test_answers_are_as_the_openapi_document_says(client: Client) -> None:
    openapi = asked(client, "openapi.json")
    for path, real in (("/runs", "runs"), ("/runs/{run}", "runs/R1")):
        content = openapi["paths"][path]["get"]["responses"]["200"]["content"]
        schema = {**content["application/json"]["schema"], "components": openapi["components"]}
        jsonschema.validate(asked(client, real), schema)


def test_a_run_that_cannot_be_read_is_told_beside_the_others(archive: Path) -> None:
    (part,) = (archive / "runs" / "R1" / "windows").glob("*.parquet")
    part.write_bytes(part.read_bytes()[:-50])
    told = asked(client_of(archive=str(archive)), "runs")
    assert [row["run"] for row in told["runs"]] == ["night/2 %41"]
    assert any(part.name in text for text in told["damaged"])


def test_notes_and_signatures_are_added_to_any_run_by_its_key(client: Client) -> None:
    for row in asked(client, "runs")["runs"]:
        path = f"/api/v1/runs/{row['key'].replace('%', '%25')}"
        note = {"who": "Ada", "text": "<b>hoist</b>", "epoch": 0, "window": 70}
        assert client.post(f"{path}/notes", json=note, headers=HEADERS).status_code == 204
        sign = {"who": "Ben", "note": "", "but": ["62-64"], "also": []}
        assert client.post(f"{path}/signatures", json=sign, headers=HEADERS).status_code == 204
        told = msgspec.convert(client.get(path).json(), RunDetail)
        assert told.row.run == row["run"]
        assert [(n.who, n.text, n.window) for n in told.notes] == [("Ada", "<b>hoist</b>", 70)]
        (signed,) = told.signatures
        assert signed.who == "Ben"
        good = {w for r in signed.good for w in range(r.first, r.last + 1)}
        proposed = {w for r in told.proposal.good for w in range(r.first, r.last + 1)}
        assert good == proposed - {62, 63, 64}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("R1/notes", {"who": "Ada", "text": " "}, 400),
        ("R1/notes", {"who": "Ada"}, 400),
        ("R1/notes", {"who": "Ada", "text": "x", "more": 1}, 400),
        ("R1/notes", {"who": "Ada", "text": "x" * 5000}, 400),
        ("R1/notes", {"who": "Ada", "text": "x" * 20_000}, 413),
        ("R1/signatures", {"who": ""}, 400),
        ("R1/signatures", {"who": "Ada", "but": ["x"]}, 400),
        ("R1/signatures", {"who": "Ada", "also": ["5/1-2"]}, 400),
        ("R9/notes", {"who": "Ada", "text": "x"}, 404),
        ("..%2Fx/notes", {"who": "Ada", "text": "x"}, 404),
    ],
)
def test_what_cannot_be_added_is_refused_in_words(
    client: Client, path: str, body: dict[str, Any], status: int
) -> None:
    answer = client.post(f"/api/v1/runs/{path}", json=body, headers=HEADERS)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_other_sites_cannot_add_anything(client: Client) -> None:
    answer = client.post("/api/v1/runs/R1/notes", json={"who": "Ada", "text": "x"})
    assert answer.status_code == 403


def test_the_dashboard_of_a_run_shows_all_of_it(archive: Path) -> None:
    with Archive(archive) as found:
        total = found["R1"].total()
    with serving(live_of([]), archive=str(archive), prefix="/m") as served:
        assert "muonscope" in served.get("run/R1/").text
        assert 'href="../../runs"' in served.get("run/R1/").text
        assert served.get("run/R1/static/app.js").status_code == 200
        assert served.get("run/R1/runs").status_code == 404
        assert served.get("run/R9/").status_code == 404
        until(lambda: served.get("run/R1/api/v1/health").json()["state"] == "finished")
        told = served.get("run/R1/api/v1/summary?view=run").json()
    assert told["run"] == "R1"
    assert told["accounting"]["hits"] == total.total_hits
    assert told["live_s"] == pytest.approx(total.live_s, abs=1e-3)


def test_more_runs_than_are_held_are_shown_one_after_the_other(archive: Path) -> None:
    first = archive / "runs" / "R1"
    for run in ("R2", "R3", "R4"):
        shutil.copytree(first, archive / "runs" / run)
        about = archive / "runs" / run / "run.json"
        about.write_text(about.read_text("utf-8").replace('"R1"', f'"{run}"'), "utf-8")
    with serving(live_of([]), archive=str(archive)) as served:
        for run in ("R1", "R2", "R3", "R4", "R1"):
            assert served.get(f"run/{run}/api/v1/health").status_code == 200


def test_without_an_archive_there_is_no_page_of_runs() -> None:
    client = client_of()
    assert client.get("/runs").status_code == 404
    assert client.get("/api/v1/runs").status_code == 404
    assert "hidden>Runs</a>" in client.get("/").text


def test_an_archive_that_nothing_was_written_to_has_no_run(tmp_path: Path) -> None:
    client = client_of(archive=str(tmp_path / "archive"))
    assert asked(client, "runs")["runs"] == []
    assert client.get("/run/R1/").status_code == 404
