"""The pages of single things: runs, pictures, artifacts, reports, search. Without a browser, without script."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import pytest

from server.store import runs, views
from tests.server import sample_folder
from tests.server.logged_in import EVIL, Pages, open_pages
from tests.server.markup import Node

TABS = ("/overview", "/pictures", "/media", "/system", "/logs", "/files", "/artifacts")
RUN = "/lab/pieces/runs/rich"


def filled(folder: Path, word: str) -> AbstractContextManager[Pages]:
    return open_pages(folder, lambda store: sample_folder.fill(store, word))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with filled(tmp_path_factory.mktemp("pages") / "folder", "plain") as opened:
        yield opened


def titles(page: Node) -> list[str]:
    return [each.text.strip() for each in page.all("figcaption")]


def test_charts_are_searched_and_lie_in_sections_by_their_prefix(pages: Pages) -> None:
    page = pages.get(RUN)
    sections = {each.one("summary").text.split()[0]: titles(each) for each in page.all("details", class_="section")}
    assert sections == {"general": ["loss"], "opt": ["opt/lr", "opt/plain"]}
    assert page.facts["test/iou"] == "0.9"
    assert titles(pages.get(f"{RUN}?search=LOSS").one("div", id="curves")) == ["loss"]
    assert titles(pages.get(f"{RUN}?search=val").one("div", id="curves")) == ["loss"]
    assert "No metric has “zz”" in pages.get(f"{RUN}?search=zz").text


def test_what_the_machine_did_is_drawn_against_the_seconds(pages: Pages) -> None:
    page = pages.get(f"{RUN}/system")
    assert titles(page) == ["cpu plain", "gpu.0.temp"]
    assert {figure.attributes["data-x"] for figure in page.all("figure")} == {"runtime"}


def test_the_console_shows_its_end_any_other_part_and_the_lines_with_a_word(pages: Pages) -> None:
    def numbers(path: str) -> list[int]:
        return [int(each.attributes["id"][1:]) for each in pages.get(path).one("pre", id="lines").all("span")]

    assert numbers(f"{RUN}/logs") == list(range(201, 1201))
    assert numbers(f"{RUN}/logs?from=51") == list(range(51, 1051))
    assert numbers(f"{RUN}/logs?search=LINE 119") == [119, *range(1190, 1200)]
    assert numbers(f"{RUN}/logs?from=99999999999") == list(range(201, 1201))
    end = pages.get(f"{RUN}/logs")
    assert "data-follow" in end.one("pre", id="lines").attributes
    assert [a.attributes["href"] for a in end.all("a") if a.text == "earlier"] == ["?from=1"]
    assert "data-follow" not in pages.get(f"{RUN}/logs?from=51").one("pre", id="lines").attributes


def test_the_overview_says_how_to_do_it_again(pages: Pages) -> None:
    page = pages.get(f"{RUN}/overview")
    said = page.facts
    assert said["command"].startswith("python agent/train.py --lr 0.1 plain")
    assert (said["commit"], said["Python"], said["wandb"]) == ("abc123 of git@host:plain", "CPython 3.11.7", "0.31.0")
    assert [a.attributes["href"] for a in page.all("a") if a.text.endswith("train.py")] == [
        f"{RUN}/files/code/agent/train.py"
    ]
    assert ["lr", "0.1"] in page.rows
    assert ["test/iou", "0.9"] in page.rows
    assert "bold" in [each.text for each in page.all("strong")], "notes are Markdown"


def test_files_are_a_tree_with_previews(pages: Pages) -> None:
    top = pages.get(f"{RUN}/files").rows
    assert ["code/", "13 B", "1"] in top
    assert ["raw.bin", "2 B", ""] in top
    assert [row[0] for row in pages.get(f"{RUN}/files/media").rows] == [
        "name",
        "audio/",
        "html/",
        "images/",
        "object3D/",
        "table/",
    ]
    assert pages.get(f"{RUN}/code/agent/train.py").one("pre").raw == "import torch\n"
    assert pages.get(f"{RUN}/files/scores.csv").rows == [["a", "b"], ["1", "2"]]
    assert "no preview" in pages.get(f"{RUN}/files/raw.bin").text
    assert pages.get(f"{RUN}/files/media/audio/a.wav").one("audio").attributes["src"].startswith("/storage/")
    assert pages.get(f"{RUN}/files/media/html/page.html").one("iframe").attributes["sandbox"] == ""
    for path in ("nothing", "code/agent/nothing.py", "../../x", "code//agent"):
        pages.get(f"{RUN}/files/{path}", 404 if "//" not in path else 200)


def test_every_file_of_a_page_can_be_fetched_and_acts_with_no_rights(pages: Pages) -> None:
    addresses = {
        element.attributes["src"]
        for tab in ("", "/pictures", "/media", "/files/media/html/page.html")
        for element in pages.get(f"{RUN}{tab}")
        if element.attributes.get("src", "").startswith("/storage/")
    }
    assert len(addresses) > 10
    for address in addresses:
        answer = pages.client.get(address)
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")


def test_tables_are_sorted_searched_and_paged(pages: Pages) -> None:
    page = pages.get(f"{RUN}/media")
    assert "250" in next(each.text for each in page.all("h2") if "scores" in each.text)
    path = f"{RUN}/media/scores"
    first = pages.get(path).rows
    assert first[0] == ["name", "iou plain"]
    assert (len(first), first[1]) == (101, ["plain 0", "0"])
    down = pages.get(f"{path}?sort=iou plain&down=1").rows
    assert [row[1] for row in down[1:4]] == ["6", "6", "6"]
    assert pages.get(f"{path}?page=3").rows[-1] == ["plain 249", "4"]
    assert [row[0] for row in pages.get(f"{path}?search=PLAIN 24").rows[1:]] == [
        "plain 24",
        *(f"plain {i}" for i in range(240, 250)),
    ]
    assert [row[0] for row in pages.get(f"{path}?sort=name").rows[1:4]] == ["plain 0", "plain 1", "plain 2"]
    assert len(pages.get(f"{path}?sort=nothing&page=x").rows) == 101
    pages.get(f"{RUN}/media/nothing", 404)


def test_plots_histograms_pages_and_sounds_are_shown_and_the_rest_is_named(pages: Pages) -> None:
    page = pages.get(f"{RUN}/media")
    assert titles(page)[:3] == ["Bars plain", "weights step 5", "weights over 2 steps"]
    assert [each.text for each in page.all("text", class_="name")] == ["3", "5"], "the values of the bars"
    assert len(page.all("audio")) == len(page.all("iframe")) == 1
    assert "solid: object3D-file" in page.text


def test_a_picture_has_layers_a_legend_boxes_steps_and_itself_in_other_runs(pages: Pages) -> None:
    page = pages.get(f"{RUN}/pictures")
    stack = page.all("div", class_="large")[0]
    masks = stack.all("img")[1:]
    assert [
        (m.attributes["data-mask"], m.attributes["data-layer"], m.attributes["data-classes"].split()) for m in masks
    ] == [("truth", "0", ["1:2"]), ("prediction", "1", ["1:1"])]
    assert [box.attributes for box in stack.all("rect")] == [
        {"x": "10.0%", "y": "20.0%", "width": "20.0%", "height": "40.0%"},
        {"x": "37.5%", "y": "37.5%", "width": "25.0%", "height": "25.0%"},
    ]
    assert [each.text for each in stack.all("text")] == ["plain", "in pixels"]
    assert [
        each.attributes["data-toggle"]
        for each in page.all("input", type="checkbox")
        if "data-toggle" in each.attributes
    ] == ["0", "1", "2"]
    legend = [each.text.strip() for each in page.one("ul", class_="tall").all("li")]
    assert legend[:2] == ["truth: plain", "prediction: plain"]
    steps = page.one("input", name="at").attributes
    assert (steps["min"], steps["max"], steps["value"]) == ("1", "2", "2")
    assert "step 5" in page.one("small", id="step").text
    assert "step 4" in pages.get(f"{RUN}/pictures?key={quote(sample_folder.KEY)}&at=1").one("small", id="step").text
    others = [a.attributes["href"] for a in page.all("a", class_="stack")]
    assert others == ["/lab/pieces/runs/other/pictures?key=test%2Fpredictions&index=0"]
    second = pages.get(f"{RUN}/pictures?index=1")
    assert second.one("input", name="index").attributes["value"] == "1"
    assert second.all("rect") == []
    for odd in ("?at=0", "?at=99", "?index=99", "?at=x&index=-1"):
        pages.get(f"{RUN}/pictures{odd}")
    pages.get(f"{RUN}/pictures?key=nothing", 404)


def test_a_picture_of_other_test_pictures_is_another_one_whatever_its_name(pages: Pages) -> None:
    def names() -> list[str]:
        table = pages.get("/lab/pieces/compare?runs=rich,other").one(id="masks")
        return [each.text for each in table.all("th", class_="name")]

    run = pages.store.db.execute("SELECT id, config FROM runs WHERE name = 'other'").fetchone()
    other = json.loads(run["config"]) | {"test_digest": {"value": "1a2b"}}
    together = names()
    with pages.store.write() as db:
        runs.change(db, run["id"], config=json.dumps(other))
    apart, neighbours = names(), pages.get(f"{RUN}/pictures").all("a", class_="stack")
    with pages.store.write() as db:
        runs.change(db, run["id"], config=run["config"])
    assert neighbours == []
    assert len(apart) > len(set(apart)) == len(together)


def test_what_a_run_used_and_logged_is_a_graph_of_links(pages: Pages) -> None:
    graph = pages.get(f"{RUN}/artifacts").one("svg", class_="lineage")
    assert graph.attributes["aria-label"] == "0 before rich plain, 2 after"
    links = [each.attributes["href"] for each in graph.all("a")]
    assert links == [f"/lab/pieces/artifacts/type%20plain/model%20plain/v{n}" for n in range(2)]
    assert (
        pages.get("/lab/pieces/runs/other/artifacts").one("svg", class_="lineage").attributes["aria-label"]
        == "1 before other plain, 0 after"
    )


ARTIFACT = "/lab/pieces/artifacts/type%20plain/model%20plain"


def test_an_artifact_says_its_versions_aliases_makers_users_and_lines_to_copy(pages: Pages) -> None:
    page = pages.get(ARTIFACT)
    assert page.one("h1").text == "model plain:v1"
    aliases = [each.children[0] for each in page.one("ul", aria_label="Aliases").all("li")[:3]]
    assert [str(each).strip() for each in aliases] == ["latest", "best", "plain"]
    [lineage] = [each for each in page.all("p") if each.text.startswith("Made by")]
    assert [a.text for a in lineage.all("a")] == ["rich plain", "other plain"]
    assert page.facts["download"].startswith("wandb artifact get lab/pieces/model plain:v1")
    assert [row[:2] for row in page.rows if row[0] in ("v0", "v1")] == [["v1", "latest, best, plain"], ["v0", ""]]
    assert ["docs/", "5 B", "1"] in page.rows
    assert pages.get(f"{ARTIFACT}/best/files/docs/read me.md").one("pre", class_="tall").text == "plain"
    assert pages.get(f"{ARTIFACT}/v0/files/picture.png").all("img")[0].attributes["src"].startswith("/storage/")
    assert "s3://bucket/plain" in pages.get(f"{ARTIFACT}/v0/files/far/away.bin").text
    for part in ("files", "metadata", "lineage/graph", "usage"):
        pages.get(f"{ARTIFACT}/v0/{part}")
    for path in (f"{ARTIFACT}/v7", f"{ARTIFACT}/v0/files/nothing", "/lab/pieces/artifacts/type%20plain/nothing"):
        pages.get(path, 404)


def test_the_lines_for_a_model_are_those_of_the_client_and_of_predict() -> None:
    from server.pages.detail.artifact import commands

    assert commands("e/p/model-r:v3", "model")[:2] == [
        ("download", "wandb artifact get e/p/model-r:v3"),
        ("predict", "python -m agent.predict e/p/model-r:v3 PHOTOGRAPH… -o masks/"),
    ]


def test_a_version_is_downloaded_as_one_zip_file(pages: Pages) -> None:
    answer = pages.client.get(f"{ARTIFACT}/v0/download")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''model%20plain-v0.zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            **{"w.bin": b"\0\0", "docs/read me.md": b"plain", "picture.png": sample_folder.PNG}
        }
    assert "without 1 file that lie" in pages.get(ARTIFACT).text


def test_a_version_whose_bytes_are_lost_is_one_sentence(tmp_path: Path) -> None:
    with filled(tmp_path / "folder", "plain") as pages:
        found = (path for path in (tmp_path / "folder" / "blobs").rglob("*") if path.is_file())
        next(path for path in found if path.read_bytes() == b"\0\1").unlink()
        assert "w.bin are lost" in pages.get(f"{ARTIFACT}/v1/download", 404).text


def test_artifacts_are_listed_by_type_and_name(pages: Pages) -> None:
    names = [row[0] for row in pages.get("/lab/pieces/artifacts").rows[1:]]
    assert names == ["model plain"]
    assert len(pages.get("/lab/pieces/artifacts/type plain?search=MODEL").rows) == 2
    assert "none like this" in pages.get("/lab/pieces/artifacts?search=zz").text


def report_address(pages: Pages) -> str:
    [row] = [a for a in pages.get("/lab/pieces/reports").all("a") if "/reports/" in a.attributes["href"]]
    return row.attributes["href"]


def test_a_report_is_listed_and_drawn(pages: Pages) -> None:
    page = pages.get(report_address(pages))
    assert page.one("h1").text == "Report plain"
    text = " ".join(page.text.split())
    for words in (
        "Heading plain",
        "words plain",
        "☑ item plain",
        "quoted plain",
        "callout plain",
        "x = plain",
        "e = plain",
    ):
        assert words in text, words
    for words in ("All plain: 2 runs", "Few: 1 run", "operator '??'", "no project nobody/plain", "“caption plain”"):
        assert words in text, words
    assert text.lower().count("hologram plain: this kind") == 2, "a block and a panel"
    shown = titles(page)
    assert shown[0] == "Loss plain"
    assert "test/iou max over 2 runs" in shown
    assert [each.text for each in page.all("p", class_="large-number")] == ["0.9"]
    names = {line.attributes["data-name"] for line in page.all("figure")[0].all("g") if "data-name" in line.attributes}
    assert names == {f"{run} plain {split}/loss" for run in ("rich", "other") for split in ("train", "val")}
    assert len(page.all("a", class_="stack")) == 4, "two pictures of two runs"
    assert ["test/iou", "0.8", "0.9"] in page.rows
    assert [a.attributes["href"] for a in page.all("nav", aria_label="Contents")[0].all("a")] == ["#part-1"]
    hrefs = {a.text: a.attributes["href"] for a in page.all("a")}
    assert hrefs["link plain"] == "https://example.org"
    assert "bad plain" not in hrefs


SPECS = [
    "",
    "[]",
    '{"blocks": 3}',
    '{"blocks": {"a": 1}}',
    json.dumps(
        {
            "blocks": [
                {"type": ["x"]},
                {
                    "type": "panel-grid",
                    "metadata": {
                        "runSets": [1, None, {}],
                        "panelBankSectionConfig": {"panels": [1, {}, {"viewType": 3, "layout": 4}]},
                    },
                },
            ]
        }
    ),
]


@pytest.mark.parametrize("spec", SPECS)
def test_a_report_that_makes_no_sense_is_a_page_nevertheless(pages: Pages, spec: str) -> None:
    with pages.store.write() as db:
        view = views.insert(db, 1, "runs", "odd", 7.0)
        views.change(db, view, 7.0, spec=spec)
    [link] = [a.attributes["href"] for a in pages.get("/lab/pieces/reports").all("a") if a.text == "odd"]
    assert pages.get(link).one("h1").text == "odd"
    with pages.store.write() as db:
        views.delete(db, view)


def test_the_page_that_a_study_made_of_itself_is_served_beside_the_reports(pages: Pages) -> None:
    links = [a.attributes["href"] for a in pages.get("/lab/pieces/reports").all("a") if a.text == "report.html"]
    assert len(links) == 2
    assert pages.client.get(links[0]).text == "<p>study</p>"


@pytest.mark.parametrize(
    ("words", "kind", "names"),
    [
        ("RICH plain", "runs", ["rich plain"]),
        ("plain lab", "runs", []),
        ("pieces/other", "runs", ["other plain"]),
        ("type model", "artifacts", ["model plain"]),
        ("report", "reports", ["Report plain"]),
        ("lab/pieces", "projects", ["lab/pieces"]),
        ("%", "runs", []),
    ],
)
def test_everything_is_found_by_words_of_its_name(pages: Pages, words: str, kind: str, names: list[str]) -> None:
    page = pages.get(f"/search?q={quote(words)}")
    regions = [each for each in page.all("div", class_="scroll") if each.attributes["aria-label"] == kind]
    assert [a.text for region in regions for a in region.all("a")] == names
    assert "Projects, runs, sweeps" in pages.get("/search").text


ELSEWHERE = [
    *("/lab", "/lab/projects", "/lab/pieces/workspace", "/lab/pieces/table", "/lab/pieces/overview"),
    *("/lab/pieces/runs", "/lab/pieces/artifacts", "/lab/pieces/reportlist", "/lab/pieces?nw=nwuser", "/lab/pieces/"),
    *(
        f"{RUN}/{tab}"
        for tab in ("workspace", "overview", "logs", "files", "artifacts", "code", "system", "table", "model", "logs/")
    ),
]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_addresses_of_wandb_lead_to_what_they_name(pages: Pages, path: str) -> None:
    page = pages.get(path)
    assert "rich plain" in page.text or "lab/pieces" in page.text
    pages.get("/lab/pieces/nowhere", 404)
    pages.get(f"{RUN}/nowhere", 404)


def test_alerts_are_listed_and_lie_in_a_feed_with_the_ends_of_runs(pages: Pages) -> None:
    with pages.store.write() as db:
        run = runs.insert(db, 1, "alarmed", "running", 8.0, display_name="<i>alarmed</i>")
        runs.add_alert(db, run, "hot \x00<b>", "]]>&\x1b", "ERROR", 9.0)
        runs.set_state(db, run, "crashed", 10.0)
    rows = pages.get("/lab/pieces").one(id="alerts").one("table").rows
    assert [row[1:3] for row in rows] == [["level", "run"], ["error", "<i>alarmed</i>"], ["warn", "rich plain"]]
    answer = pages.client.get("/lab/pieces/feed")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    atom = "{http://www.w3.org/2005/Atom}"
    entries = ElementTree.fromstring(answer.content).findall(f"{atom}entry")
    titles = [entry.findtext(f"{atom}title") for entry in entries]
    assert titles[:2] == ["<i>alarmed</i> crashed", "ERROR: hot \ufffd<b>"]
    assert {"WARN: alert plain", "rich plain finished"} <= set(titles)
    links = {link.get("href") for entry in entries for link in entry.findall(f"{atom}link")}
    assert "http://127.0.0.1/lab/pieces/runs/alarmed" in links
    assert len({entry.findtext(f"{atom}id") for entry in entries}) == len(entries)
    with pages.store.write() as db:
        runs.delete(db, run)


def test_whatever_stands_in_names_texts_and_files_nothing_of_it_acts_and_every_link_leads_somewhere(
    tmp_path: Path,
) -> None:
    """All pages that links lead to from the start, with the same evil word in every field that a client can fill."""
    with filled(tmp_path / "folder", EVIL) as pages:
        check_all(pages)


def check_all(pages: Pages) -> None:
    collection = f"/lab/pieces/artifacts/{quote(f'type {name(EVIL)}', safe='')}/{quote(f'model {name(EVIL)}', safe='')}"
    paths = ["/", "/lab", "/lab/pieces", "/lab/pieces/reports", report_address(pages), f"/search?q={quote(EVIL[:20])}"]
    paths += [f"{RUN}{tab}" for tab in ("", *TABS, "/media/scores", "/files/odd", "/logs?search=script")]
    paths += ["/lab/pieces/artifacts", collection, f"{collection}/v0/files/docs/read me.md"]
    leads: dict[str, str] = {}
    for path in paths:
        for link in pages.get(path).all("a"):
            href = link.attributes.get("href", "")
            if href.startswith(("/", "?")) and not href.startswith("//"):
                shape = re.sub(r"\d+|=[^&]*", "", f"{path if href[0] == '?' else ''}{href}")[:60]
                leads.setdefault(shape, f"{urlsplit(path).path}{href}" if href[0] == "?" else href)
    assert len(leads) > 35
    for href in leads.values():
        assert pages.client.get(href).status_code == 200, href


def name(word: str) -> str:
    return word.replace("/", "").replace(":", "")


def test_what_a_person_types_into_the_forms_is_shown_as_text(pages: Pages) -> None:
    page = pages.get(RUN)
    csrf = page.all("input", name="csrf")[0].attributes["value"]
    fields = {"display_name": EVIL, "notes": EVIL, "tags": EVIL[:60], "action": "edit", "csrf": csrf}
    assert pages.client.post(RUN, data=fields).status_code == 200
    for path in (RUN, f"{RUN}/overview", "/lab/pieces", "/search?q=rich"):
        page = pages.get(path)
    assert pages.get(f"{RUN}/overview").one("textarea").raw.strip() == EVIL
    pages.client.post(RUN, data={"display_name": "rich plain", "notes": "", "tags": "", "action": "edit", "csrf": csrf})


def test_a_run_without_anything_has_all_its_pages(pages: Pages) -> None:
    with pages.store.write() as db:
        number = runs.insert(db, 1, "bare", "running", 8.0, display_name=" ")
    for tab in ("", "/overview", "/media", "/system", "/logs", "/files", "/artifacts"):
        page = pages.get(f"/lab/pieces/runs/bare{tab}")
        assert page.one("small", id="live").attributes["data-refresh"] == "5"
        assert "Pictures" not in page.one("nav", aria_label="Parts of the run").text
    pages.get("/lab/pieces/runs/bare/pictures", 404)
    with pages.store.write() as db:
        runs.delete(db, number)
    assert "data-refresh" not in pages.get(RUN).one("small", id="live").attributes
