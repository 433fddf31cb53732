"""One Chromium and one filled server for all browser tests; a page fails its test when a script or the policy does."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.server.running import ROOT, Client, Server, start

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no Chromium on this machine (looked for {', '.join(NAMES)}): apt-get install chromium")
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@dataclass
class Site:
    """`sweeps`: name of what was filled → id."""

    server: Server
    client: Client
    sweeps: dict[str, str]

    @property
    def url(self) -> str:
        return self.server.url


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that the real client filled, see `bench.harness.page_site`."""
    server = start(tmp_path_factory.mktemp("site") / "folder", 0, "--crash-after", "900")
    client = Client(server, tmp_path_factory.mktemp("filler"))
    process = client.start([sys.executable, "-m", "bench.harness.page_site"], WANDB_CONSOLE="off", PYTHONPATH=str(ROOT))
    output = client.finish(process, timeout=240)
    assert process.returncode == 0, output
    yield Site(server, client, json.loads(output.strip().splitlines()[-1]))
    server.stop()


Open = Callable[..., Page]


@pytest.fixture
def open_page(open_at: Open, site: Site) -> Open:
    """`open_page(path, width=1400, dark=False, scripts=True)`: the page at that path of the site."""
    return lambda path, **more: open_at(site.url + path, **more)


@pytest.fixture
def open_at(browser: Browser) -> Iterator[Open]:
    """As `open_page`, of any server."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_(path: str, width: int = 1400, dark: bool = False, scripts: bool = True, **more: Any) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            **more,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: faults.append(f"{path}: {error}"))
        page.on("console", lambda told: faults.append(f"{path}: {told.text}") if told.type == "error" else None)
        page.on("dialog", lambda dialog: faults.append(f"{path}: a dialog says {dialog.message}"))
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert faults == []
