"""Names, texts and addresses of any content, none of which acts on the pages over many runs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from common.colours import SERIES
from server import app
from server.scheduler import scheduler
from server.store import Store, projects, runs, sweeps
from tests.server.content import add_run
from tests.server.logged_in import EVIL, Pages, open_pages

NAME = EVIL.replace("/", "") + "é+😀 "


def fill(store: Store, word: str) -> None:
    """A sweep and its runs with `word` in every field that a client can fill."""
    config = {
        "method": "random",
        "name": word,
        "metric": {"name": f"val/{word}", "goal": "maximize"},
        "parameters": {word: {"values": [word, "other"]}, "seed": {"values": [1, 2, 3]}},
    }
    with store.write() as db:
        place = projects.ensure(db, NAME, NAME, 1.0, description=word)[0]["id"]
        made = sweeps.by_id(db, sweeps.insert(db, place, NAME, json.dumps(config), 1, 1.0))
        sweeps.change(db, made["id"], 1.0, description=word, state="RUNNING")
        for at in range(12):
            params = {word: word if at % 2 else "other", "seed": at % 3 + 1}
            columns: dict[str, Any] = {
                "display_name": f"{word} {at}",
                "notes": word,
                "tags": [word],
                "group_name": word,
                "host": word,
            }
            rows = [{"_step": step, f"val/{word}": step, f"train/{word}": step} for step in range(3)]
            summary = {f"val/{word}": 0.5 + at / 100, f"test/{word}": 0.4, "text": word}
            run_id = add_run(db, place, f"{NAME}{at}", params, rows, summary, sweep_id=made["id"], **columns)
            sweeps.suggest(db, made["id"], run_id, params, "server", None)
            sweeps.record_stop(db, run_id, word)
        runs.index_summaries(db, 99)
    scheduler.add_agent(store, made, word)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with open_pages(tmp_path_factory.mktemp("evil") / "folder", lambda store: fill(store, EVIL)) as opened:
        yield opened


HOME = f"/{quote(NAME, safe='')}/{quote(NAME, safe='')}"
SWEEP = f"{HOME}/sweeps/{quote(NAME, safe='')}"
ASKED: list[dict[str, Any]] = [
    {},
    {"group": "settings"},
    {"group": EVIL},
    {"q": EVIL},
    {"q": f'"{EVIL}" = a', "sort": EVIL, "col": EVIL, "page": EVIL, "size": EVIL, "format": EVIL},
    {"search": EVIL, "x": EVIL, "smooth": EVIL, "from": EVIL, "to": EVIL, "log": EVIL, "all": "1"},
    {"runs": [f"{NAME}1", f"{NAME}2", EVIL]},
]


@pytest.mark.parametrize(
    "path", [HOME, SWEEP, f"{HOME}/compare", "/compare"], ids=["project", "sweep", "compare", "any"]
)
@pytest.mark.parametrize("asked", ASKED, ids=[" ".join(each) or "plain" for each in ASKED])
def test_nothing_of_what_a_client_or_an_address_says_acts(pages: Pages, path: str, asked: dict[str, Any]) -> None:
    page = pages.get(f"{path}?{urlencode(asked, doseq=True)}")
    assert "49" not in [each.text for each in page.all("td")]


PLACES = ["", "/sweeps/{}", "/compare", "/runs/{}1", "/runs/{}1/files", "/artifacts", "/reports"]


@pytest.mark.parametrize("path", PLACES)
def test_every_page_says_where_it_is_and_has_the_search(pages: Pages, path: str) -> None:
    page = pages.get(HOME + path.format(quote(NAME, safe="")))
    way = page.one("nav", aria_label="Place")
    assert way.all("a")[0].attributes["href"] == "/"
    assert f"{NAME}/{NAME}" in way.raw
    assert [form.attributes["action"] for form in page.all("form", class_="search")] == ["/search"]


def test_why_a_run_was_stopped_stands_on_its_page(pages: Pages) -> None:
    told = pages.get(f"{HOME}/runs/{quote(NAME, safe='')}1").facts["why stopped"]
    assert told == f"ended by itself, though asked to stop: {EVIL}"


def test_the_name_and_the_address_of_a_view_act_nowhere(pages: Pages) -> None:
    csrf = pages.get(HOME).all("input", name="csrf")[0].attributes["value"]
    address = f"{HOME}/compare?{urlencode({'search': EVIL, 'chart': EVIL, 'rows': EVIL})}"
    fields = {"csrf": csrf, "action": "save", "name": EVIL, "address": address}
    assert pages.client.post(f"{HOME}/views", data=fields).status_code == 200
    for path in (HOME, SWEEP, f"{HOME}/compare"):
        [link] = pages.get(path).one("nav", aria_label="Saved views").all("a")
        assert link.raw == EVIL
        pages.get(link.attributes["href"])
    pages.client.post(f"{HOME}/views", data={"csrf": csrf, "action": "delete", "name": EVIL})


def test_in_print_each_series_has_a_dash_of_its_own() -> None:
    sheet = (Path(app.__file__).parent / "pages" / "static" / "style.css").read_text()
    dashes = dict(re.findall(r"\.line\.(s\d+) path \{ stroke-dasharray: ([\d ]+);", sheet.partition("@media print")[2]))
    assert len(set(dashes.values())) == len(SERIES) - 1, "the first one is whole"


def test_every_link_of_the_pages_leads_somewhere(pages: Pages) -> None:
    seen: dict[str, str] = {}
    for path in (HOME, SWEEP, f"{HOME}/compare", f"{HOME}?group=settings"):
        for link in pages.get(path).all("a"):
            href = link.attributes["href"]
            if href.startswith(("/", "?")):
                seen.setdefault(
                    f"{path} {link.text[:12]}", href if href[0] == "/" else f"{path.partition('?')[0]}{href}"
                )
    assert len(seen) > 20
    for href in seen.values():
        assert pages.client.get(href).status_code == 200, href


def test_a_csv_holds_what_was_written(pages: Pages) -> None:
    answer = pages.client.get(f"{SWEEP}?format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.text.count("\n") == 13


def test_the_policy_allows_nothing_inline_and_static_files_are_the_pages_own(pages: Pages) -> None:
    policy = pages.client.get(HOME).headers["content-security-policy"]
    assert "unsafe" not in policy
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'"} <= {
        part.strip() for part in policy.split(";")
    }
    folder = Path(app.__file__).parent / "pages" / "static"
    scripts = {path.name: path.read_text() for path in folder.glob("*.js")}
    assert sum(len(text.splitlines()) for text in scripts.values()) <= 1500
    [place] = set(re.findall(r'"(/static/\w+)/', pages.client.get(HOME).text))
    for name, text in scripts.items():
        answer = pages.client.get(f"{place}/{name}")
        assert (answer.status_code, answer.text) == (200, text)
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-type"].startswith("text/javascript")
        assert not {"innerHTML", "outerHTML", "insertAdjacentHTML", "eval("} & set(text.replace("(", "( ").split())
        assert "innerHTML" not in text
    for name in (
        "../access_control.py",
        "%2e%2e/access_control.py",
        "none.js",
        "style.css.map",
        "..%2f..%2fapp.py",
        "",
    ):
        assert pages.client.get(f"{place}/{name}").status_code == 404, name
    assert pages.client.get(f"{place}/colours.css").text.count("color:") >= 2 * 12
    old = pages.client.get("/static/0123456789ab/swap.js")
    assert (old.text, old.headers["cache-control"]) == (scripts["swap.js"], "no-cache"), "of a page that stayed open"
