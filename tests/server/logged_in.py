"""The pages of a folder as somebody logged in sees them; without a browser, without script."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from starlette.testclient import TestClient

from server import app
from server.settings import Settings
from server.store import Store
from tests.server.markup import Node, check_harmless, read

KEY = "k" * 40
EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'{{7*7}}</pre></textarea>&lt;"
"""Text that would act where it is not escaped."""


@dataclass
class Pages:
    store: Store
    client: TestClient

    def get(self, path: str, status: int = 200) -> Node:
        answer = self.client.get(path)
        assert answer.status_code == status, (path, answer.text[:300])
        page = read(answer.text)
        check_harmless(page)
        return page


@contextlib.contextmanager
def open_pages(folder: Path, fill: Callable[[Store], None]) -> Iterator[Pages]:
    with contextlib.closing(Store(folder)) as store:
        fill(store)
        with contextlib.closing(TestClient(app.create_app(store, Settings(api_key=KEY)), "http://127.0.0.1")) as client:
            client.post("/login", data={"key": KEY})
            yield Pages(store, client)
