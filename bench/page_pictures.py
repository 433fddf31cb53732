"""The pictures of server/README.md: `python -m bench.page_pictures` writes docs/pages/*.png anew.

A server is filled by the real client (`bench.harness.page_site`), and four of its pages are photographed in headless
Chromium, 1200 pixels wide, in 64 colours.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from bench.harness.server_process import run_server
from common.environment import ROOT, private_wandb

FOLDER = ROOT / "docs" / "pages"
WIDTH, HEIGHT = 1200, 900
COLOURS = 64


def main() -> int:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium on this machine: apt-get install chromium", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with run_server(folder / "server", "--crash-after=900") as (url, _):
            login = {"WANDB_BASE_URL": url, "WANDB_API_KEY": (folder / "server/api-key").read_text().strip()}
            quiet = {"WANDB_SILENT": "true", "WANDB_CONSOLE": "off", "PYTHONPATH": str(ROOT)}
            kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
            environment = kept | private_wandb(folder) | login | quiet
            command = [sys.executable, "-m", "bench.harness.page_site"]
            filled = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            photograph(url, chromium, json.loads(filled.stdout.strip().splitlines()[-1]))
    return 0


def photograph(url: str, chromium: str, sweeps: dict[str, str]) -> None:
    """Write the pictures project, sweep, compare and compare-dark."""
    from playwright.sync_api import sync_playwright

    compare = f"/local/lab/compare?sweep={sweeps['grid']}"
    pages = {
        "project": ("/local/lab?q=sweep+~+.&sort=-high.val/iou", "light"),
        "sweep": (f"/local/lab/sweeps/{sweeps['search']}", "light"),
        "compare": (compare, "light"),
        "compare-dark": (f"{compare}&group=model&smooth=0.4", "dark"),
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name, (path, scheme) in pages.items():
            size = {"width": WIDTH, "height": 1500 if name in ("compare", "sweep") else HEIGHT}
            page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
            page.goto(url + path, wait_until="networkidle")
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            picture.quantize(COLOURS, dither=Image.Dither.NONE).save(FOLDER / f"{name}.png", optimize=True)
            print(FOLDER / f"{name}.png", f"{(FOLDER / f'{name}.png').stat().st_size / 1000:.0f} kB")
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
