"""Kill a run that is archived at random moments, again and again; then compare with its results.

Run as a script: ``python tests/archiving/soak.py --kills 500``. Each round processes a recording
of two hours and epochs with ``--state`` and ``--archive`` while it is killed with SIGKILL; at
its end the archive must hold what the results hold, window by window, and its verdicts must
follow one another. Prints a line a round.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "benchmarks")]

from archiving.compared import differences, recording

MUONSCOPE = str(Path(sys.executable).with_name("muonscope"))
KILLS_A_ROUND = 25
BEGIN_S, STEP_S = 0.6, 0.15
"""When a process is killed: at first this long after it began, and later each time that it was
killed before it had got on."""


def killed(args: list[str], after_s: float) -> bool:
    """Run a command, and kill it; tell whether it had not ended by itself."""
    process = subprocess.Popen(
        [MUONSCOPE, *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        _, err = process.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    assert process.returncode == 0, err.decode()
    return False


def main() -> int:
    """Soak; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance, done, rounds = random.Random(options.seed), 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = recording(folder / "run.dat", hours=1.6)
        while done < options.kills:
            begin, rounds, kills = time.monotonic(), rounds + 1, 0
            place = folder / str(rounds)
            results = place / "results.jsonl"
            args = [
                "process", str(source), "--to", str(results), "--run", "r", "--window", "20s",
                "--without", "tracking", "--state", str(place / "state"),
                "--archive", str(place / "archive"),
            ]  # fmt: skip
            while kills < min(KILLS_A_ROUND, options.kills - done):
                if not killed(args, BEGIN_S + chance.uniform(0.0, STEP_S) * (kills + 1)):
                    break
                kills += 1
            last = subprocess.run([MUONSCOPE, *args], capture_output=True, check=False)
            assert last.returncode == 0, last.stderr.decode()
            found = differences(place / "archive", "r", results)
            assert not found, found
            done += kills
            took = time.monotonic() - begin
            print(
                f"{done:5} kills, round {rounds} ({took:.0f} s): all windows, each once", flush=True
            )
            if not kills:
                raise AssertionError("it was over before it could be killed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
