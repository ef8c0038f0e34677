"""``python -m muonscope``: the command line."""

from muonscope.cli.main import run

if __name__ == "__main__":
    run()
