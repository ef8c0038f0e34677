"""Take the pictures of the dashboard that the documentation shows, with a real browser.

A simulated telescope runs sixty times as fast as a real one until half an hour has been
seen, and a chamber has lost its high voltage; then each page is taken on a desk and on a
phone, light and dark. ``make figures`` runs it.
"""

import argparse
import io
import sys
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

from helpers.browser import chromium, open_page
from helpers.served import Served, serving

PAGES = ("overview", "problems", "chambers", "muons", "trends", "system")
SOURCE = "sim:legnaro?fault=hv-off:ch1@1600s-"
SIZES = {
    "": {"width": 1920, "height": 1080},
    "-phone": {"width": 390, "height": 844},
    "-wall": {"width": 3840, "height": 2160},
}
DESKS = ("", "-phone")
WALL = ("overview", "dark")
"""The one page that is taken on a wall, too; half as large, for texts are twice as large there."""
WINDOWS = 1_800
SPEED = 60
COLOURS = 200


def main() -> int:
    """Take all pictures; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    options = parser.parse_args()
    with (
        serving(["dashboard", SOURCE, "--speed", SPEED, "--port", "0"]) as served,
        chromium() as browser,
    ):
        served.wait_for_windows(WINDOWS)
        for page in PAGES:
            for theme in ("light", "dark"):
                for size in SIZES if (page, theme) == WALL else DESKS:
                    path = options.out / f"dashboard-{page}-{theme}{size}.png"
                    take(browser, served, page, theme, size).save(path, optimize=True)
                    print(path)
    return 0


def take(browser: Browser, served: Served, page: str, theme: str, size: str) -> Image.Image:
    """Return a picture of a page, in few colours, which is small."""
    view = "run" if page == "chambers" else "recent"
    address = f"{served.url}#page={page}&view={view}&theme={theme}"
    if size == "-wall":
        address += "&wall=900"
    watched = open_page(browser, address, viewport=SIZES[size])
    drawn = "updates >= 2" if page not in {"problems", "system"} else "status"
    watched.page.wait_for_function(f"() => window.muonscope?.state().{drawn}")
    time.sleep(1)
    picture: Image.Image = Image.open(io.BytesIO(watched.page.screenshot()))
    watched.page.context.close()
    if size == "-wall":
        picture = picture.reduce(2)
    return picture.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE)


if __name__ == "__main__":
    sys.exit(main())
