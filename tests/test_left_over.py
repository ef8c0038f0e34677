"""What a test leaves running is found."""

import subprocess
import sys

from helpers.left_over import children, named
from helpers.patience import until

SLEEP = [sys.executable, "-c", "input()"]


def test_a_process_that_runs_is_found_until_it_ends() -> None:
    before = children()
    with subprocess.Popen(SLEEP, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        until(lambda: children() - before == {process.pid}, "the process")
        assert "input()" in named(process.pid)
        process.communicate()
    assert children() == before
    assert named(process.pid) == ""


def test_a_process_that_waits_to_be_reaped_is_not_left_running() -> None:
    before = children()
    process = subprocess.Popen([sys.executable, "-c", ""])
    until(lambda: children() == before, "its end")
    assert process.wait() == 0


def test_children_of_another_process_are_found() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as parent:
        until(lambda: len(children([parent.pid]) - {parent.pid}) > 0, "the child")
        parent.communicate()
