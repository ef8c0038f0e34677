"""The wheel installs into an environment of its own, and what it installs works."""

import os
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import orjson
import pytest

from helpers.simulated import simulated_words
from muonscope.detector import setup_names

ROOT = Path(__file__).parents[1]


def run(*args: object, cwd: Path) -> str:
    """Run a command without this environment's variables; return its output."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(arg) for arg in args], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{args}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    run(
        sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT,
        cwd=folder,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment of its own; return its ``bin``.

    What it depends on are the packages of this environment, linked one by one: to fetch them
    again takes minutes. That all that it declares is there, pip checks.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel, cwd=folder)
    there = Path(
        run(python, "-c", "import site; print(site.getsitepackages()[0])", cwd=folder).strip()
    )
    for package in Path(site.getsitepackages()[0]).iterdir():
        if not package.name.lower().startswith(("muonscope", "_editable", "pip", "__")):
            link = there / package.name
            if not link.exists() and package.suffix != ".pth":
                link.symlink_to(package)
    run(python, "-m", "pip", "check", cwd=folder)
    return folder / "bin"


def test_the_wheel_holds_the_package_its_data_and_its_licence_and_no_more(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"muonscope/detector/setups/{name}.toml" for name in setup_names()}
    schemas = ("window-2.json", "reject-1.json", "asyncapi.yaml")
    wanted |= {f"muonscope/results/schema/{name}" for name in schemas} | {"muonscope/py.typed"}
    assert wanted <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    sources = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == sources
    assert {name.split("/")[0].split("-")[0] for name in names} == {"muonscope"}
    assert not [name for name in names if "__pycache__" in name or name.endswith((".nbi", ".csv"))]


def test_the_installed_package_is_not_the_checkout(installed: Path, tmp_path: Path) -> None:
    where = run(
        installed / "python", "-c", "import muonscope; print(muonscope.__file__)", cwd=tmp_path
    )
    assert Path(where.strip()).is_relative_to(installed.parent)


def test_the_installed_command_processes_a_file(installed: Path, tmp_path: Path) -> None:
    words = simulated_words(1000)
    (tmp_path / "tiny.dat").write_bytes(words.tobytes())
    lines = run(installed / "muonscope", "process", "tiny.dat", cwd=tmp_path).splitlines()
    messages = [orjson.loads(line) for line in lines]
    assert sum(message["accounting"]["words_in"] for message in messages) == len(words)


def test_the_installed_package_has_its_setups_and_its_schema(
    installed: Path, tmp_path: Path
) -> None:
    shown = run(installed / "muonscope", "detectors", "list", cwd=tmp_path)
    assert all(name in shown for name in setup_names())
    code = "from muonscope.results.message import message_schema; print(message_schema()['title'])"
    assert "muonscope window" in run(installed / "python", "-c", code, cwd=tmp_path)
