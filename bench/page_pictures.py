"""Pictures of pages of the embedded server, in headless Chromium, 1200 pixels wide.

`python -m bench.page_pictures` writes those of server/README.md, docs/pages/*.png, anew: a server is filled by the real
client (`bench.harness.page_site`). `python -m bench.page_pictures ENTITY/PROJECT/SWEEP --out FOLDER` writes
FOLDER/pages, which the notebooks of an exported study show: three pages of a sweep of the server WANDB_BASE_URL.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from bench.harness.server_process import run_server
from common.cli import Parser
from common.environment import ROOT, private_wandb

FOLDER = ROOT / "docs" / "pages"
WIDTH = 1200
COLOURS = 256
MARGIN = 16


@dataclass(frozen=True)
class Page:
    """A page by its path on the server; its picture is `height` pixels high, or ends below the element `last`."""

    name: str
    path: str
    height: int = 900
    last: str = ""
    scheme: str = "light"


def main() -> int:
    """Exit code 1 on a machine without Chromium."""
    parser = Parser(prog="python -m bench.page_pictures", description=__doc__)
    parser.add_argument("sweep", nargs="?", metavar="ENTITY/PROJECT/SWEEP", help="a sweep of the server WANDB_BASE_URL")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the exported study (default: this one)")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium on this machine: apt-get install chromium", file=sys.stderr)
        return 1
    if options.sweep:
        if not (url := os.environ.get("WANDB_BASE_URL")):
            parser.error("WANDB_BASE_URL is not set: start `make serve`, and export the line that it prints")
        photograph(url, chromium, pages_of_sweep(options.sweep), options.out / "pages")
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with run_server(folder / "server", "--crash-after=900") as (url, _):
            login = {"WANDB_BASE_URL": url, "WANDB_API_KEY": (folder / "server/api-key").read_text().strip()}
            quiet = {"WANDB_SILENT": "true", "WANDB_CONSOLE": "off", "PYTHONPATH": str(ROOT)}
            kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
            environment = kept | private_wandb(folder) | login | quiet
            command = [sys.executable, "-m", "bench.harness.page_site"]
            filled = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            photograph(url, chromium, pages_of_site(json.loads(filled.stdout.strip().splitlines()[-1])), FOLDER)
    return 0


def pages_of_site(sweeps: dict[str, str]) -> list[Page]:
    """Four pages of what `bench.harness.page_site` made."""
    compare = f"/local/lab/compare?sweep={sweeps['grid']}"
    return [
        Page("project", "/local/lab?q=sweep+~+.&sort=-high.val/iou"),
        Page("sweep", f"/local/lab/sweeps/{sweeps['search']}", height=1500),
        Page("compare", compare, height=1500),
        Page("compare-dark", f"{compare}&group=model&smooth=0.4", scheme="dark"),
    ]


def pages_of_sweep(path: str) -> list[Page]:
    """The sweep, loss and IoU of all its runs by model, and those of its best run; no photograph is on these parts."""
    import wandb

    sweep = wandb.Api().sweep(path)
    project = f"/{sweep.entity}/{sweep.project}"
    return [
        Page("sweep", f"{project}/sweeps/{sweep.id}", last="figure.parallel"),
        Page("curves", f"{project}/compare?sweep={sweep.id}&group=model", last="figure.chart >> nth=1"),
        Page("run", f"{project}/runs/{sweep.best_run().id}", last="figure.chart >> nth=1"),
    ]


def photograph(url: str, chromium: str, pages: Iterable[Page], folder: Path) -> None:
    """Write the picture of each page into the folder."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for each in pages:
            size = {"width": WIDTH, "height": each.height}
            page = browser.new_page(viewport=size, color_scheme=each.scheme)  # type: ignore[arg-type]
            page.goto(url + each.path, wait_until="networkidle")
            if each.last:
                box = page.locator(each.last).bounding_box()
                assert box, f"{each.last} is hidden on {each.path}: what lies below it may be a photograph"
                size["height"] = round(box["y"] + box["height"]) + MARGIN
                page.set_viewport_size(size)  # type: ignore[arg-type]
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            file = folder / f"{each.name}.png"
            picture.quantize(COLOURS, kmeans=3, dither=Image.Dither.NONE).save(file, optimize=True)
            print(file, f"{file.stat().st_size / 1000:.0f} kB")
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
