"""The structure of the package, beyond what import-linter holds: no rings, no giants."""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

SOURCE = Path(__file__).parents[1] / "src" / "muonscope"
FILES = sorted(SOURCE.rglob("*.py"))

MOST_LINES, MOST_ARGUMENTS, MOST_COMMAND_LINE = 400, 6, 2_100
LONGER = {"counting/_windowing.py"}
"""One kernel with its parts, in one file because numba's cache watches only that."""


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = grimp.build_graph("muonscope", cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    assert len(imports) > 100
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as exc:
        pytest.fail(" -> ".join(exc.args[1]))


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    lines = {str(f.relative_to(SOURCE)): len(f.read_text("utf-8").splitlines()) for f in FILES}
    assert {name for name, n in lines.items() if n > MOST_LINES} <= LONGER
    assert sum(n for name, n in lines.items() if name.startswith("cli/")) <= MOST_COMMAND_LINE


def constructors() -> Iterator[tuple[str, int]]:
    """Yield each constructor that is written out, with the number of its arguments."""
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                for item in node.body:
                    if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                        arguments = item.args
                        n = len(arguments.args) - 1 + len(arguments.kwonlyargs)
                        yield f"{file.relative_to(SOURCE)}: {node.name}", n


def test_constructors_take_few_arguments() -> None:
    found = dict(constructors())
    assert len(found) > 50
    assert {name: n for name, n in found.items() if n > MOST_ARGUMENTS} == {}


def test_the_tests_look_at_the_package_that_is_under_test() -> None:
    assert Path(sys.modules["muonscope"].__file__ or "").parent == SOURCE
