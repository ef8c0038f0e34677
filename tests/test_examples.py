"""The example of a first look runs as it stands."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PNG = b"\x89PNG\r\n\x1a\n"


def first_look(recordings: Path, out: Path) -> str:
    done = subprocess.run(
        [sys.executable, "examples/first_look.py", "--recordings", recordings, "--out", out],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_the_demo_shows_the_real_recordings(realdata: Path, tmp_path: Path) -> None:
    shown = first_look(realdata, tmp_path)
    for name in ("minidt_data_000000_first999rows", "run000591_data_000000"):
        assert f"{tmp_path / name}.png" in shown
        assert (tmp_path / f"{name}.png").read_bytes().startswith(PNG)
        assert (tmp_path / f"{name}.jsonl").stat().st_size > 10_000


def test_the_demo_simulates_a_recording_where_there_is_none(tmp_path: Path) -> None:
    shown = first_look(tmp_path / "nothing", tmp_path)
    assert "simulated" in shown
    assert (tmp_path / "simulated.png").read_bytes().startswith(PNG)


def test_the_plots_of_the_simulation_are_drawn(realdata: Path, tmp_path: Path) -> None:
    command = [
        "examples/simulation_plots.py",
        "--recordings",
        str(realdata),
        "--out",
        str(tmp_path),
    ]
    subprocess.run([sys.executable, *command, "--seconds", "60"], cwd=ROOT, check=True)
    names = ["simulation-published.png", "simulation-recorded.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert all((tmp_path / name).read_bytes().startswith(PNG) for name in names)
