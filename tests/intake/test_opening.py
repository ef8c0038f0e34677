"""The rooms joined: names and URLs to detectors, sources and sinks."""

import subprocess
import sys
from pathlib import Path

import pytest

from muonscope.detector import shipped_detector
from muonscope.errors import DetectorError, OptionError, SourceNotFoundError
from muonscope.intake.opening import (
    check_sources,
    detector_for,
    load_detector,
    open_bytes,
    open_words,
)


@pytest.mark.parametrize("name", ["legnaro", "run000591", "bologna2"])
def test_a_shipped_detector_is_found_by_its_name(name: str) -> None:
    assert load_detector(name).name == name


def test_an_unknown_detector_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(DetectorError, match=r"no detector named 'atlas'.*legnaro.*name a file"):
        load_detector("atlas")


def test_a_detector_file_that_is_no_text_or_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name in ("binary.toml", "missing.toml", ""):
        with pytest.raises(DetectorError, match=name or str(tmp_path)):
            load_detector(str(tmp_path / name))


@pytest.mark.parametrize(
    "sources",
    [
        ["-", "a"],
        ["-", "-"],
        ["s3://b/a", "a"],
        ["-", "s3://b/a"],
        ["a", "file:///a"],
        ["sim:", "a"],
    ],
)
def test_sources_of_different_kinds_are_refused(sources: list[str]) -> None:
    with pytest.raises(OptionError, match="cannot be mixed"):
        open_words(sources, shipped_detector())


@pytest.mark.parametrize("source", ["-", "s3://bucket/prefix", "sim:legnaro"])
def test_only_files_can_be_followed(source: str) -> None:
    with pytest.raises(OptionError, match=f"--follow needs files or folders, found {source}"):
        check_sources([source], follow=True)


def test_an_empty_folder_is_an_error_unless_it_is_followed(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=str(tmp_path)):
        open_words([str(tmp_path)], shipped_detector())
    source = open_bytes([str(tmp_path)], follow=True, idle_exit_s=0.0)
    assert list(source.pieces()) == []


def test_a_url_with_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(OptionError, match="nothing://bucket"):
        open_bytes(["nothing://bucket/a"])


def test_a_store_whose_client_is_missing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(url: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(OptionError, match=r"pip install 'muonscope\[s3\]'"):
        open_bytes(["s3://bucket/a"])


def test_file_urls_are_read_through_their_store(tmp_path: Path) -> None:
    for name in ("data_10", "data_9"):
        (tmp_path / name).write_bytes(name.encode())
    source = open_bytes([f"file://{tmp_path}"])
    pieces = list(source.pieces())
    assert [Path(p.name).name for p in pieces if p.ended] == ["data_9", "data_10"]
    assert b"".join(piece.data for piece in pieces) == b"data_9data_10"


@pytest.mark.parametrize(
    ("sources", "asked", "name"),
    [(["a"], "", "legnaro"), (["sim:bologna"], "", "bologna2"),
     (["sim:"], "run001213", "run001213"), (["a"], "run000591", "run000591")],
)  # fmt: skip
def test_the_detector_is_the_one_asked_for_or_that_of_the_simulation(
    sources: list[str], asked: str, name: str
) -> None:
    assert detector_for(sources, asked).name == name


@pytest.mark.parametrize(
    "module",
    ["api", "cli.convert", "cli.inspect", "cli.process", "cli.simulate", "dashboard.options"],
)
def test_nothing_brings_the_kafka_client_before_a_topic_is_named(module: str) -> None:
    code = f"import sys, muonscope.{module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert f"muonscope.{module}" in loaded
    assert "confluent_kafka" not in loaded
