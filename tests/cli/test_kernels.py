"""Loading kernels: what comes meanwhile is neither lost nor told twice."""

import subprocess
import sys
from pathlib import Path

SWALLOWS = """
import os, signal, time
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.05)
except BaseException:
    pass
"""


def test_an_interrupt_inside_the_compiler_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "swallows.py").write_text(SWALLOWS, "utf-8")
    (tmp_path / "after.py").write_text("print('loaded')", "utf-8")
    code = (
        "from muonscope.cli.kernels import load_kernels\n"
        "try:\n    load_kernels(['swallows', 'after'])\n"
        "except KeyboardInterrupt:\n    print('interrupted')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["loaded", "interrupted"]
