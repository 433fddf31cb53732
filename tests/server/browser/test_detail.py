"""The pages of single things in a browser: layers of pictures, pages that go on, edits, and who is kept out."""

import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from server.pages.charts import plots
from server.store import Store
from tests.server import sample_folder
from tests.server.browser.conftest import SERIOUS, Open
from tests.server.content import lines
from tests.server.running import Server, start

pytestmark = pytest.mark.slow
RUN = "/lab/pieces/runs/rich"
CONFUSION = "wandb/confusion_matrix/v1"
PICTURES = f"{RUN}/pictures"
SIDE, WIDE = 20, 64  # pixels of the piece and of the picture, see `rich.png`
PAGES = [
    *(RUN, f"{RUN}/overview", PICTURES, f"{RUN}/media", f"{RUN}/logs?from=1190", f"{RUN}/files", f"{RUN}/artifacts"),
    *("/lab/pieces/artifacts/type%20plain/model%20plain", "/lab/pieces/artifacts", "/lab/pieces/reports"),
    *("/lab/pieces/reports/x--Vmlldzox", "/search?q=plain", "/login"),
]


@pytest.fixture(scope="module")
def rich_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("rich") / "folder"
    store = Store(folder)
    sample_folder.fill(store)
    store.close()
    server = start(folder)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def session(rich_server: Server, browser: Browser) -> Any:
    """Storage state of a browser that is logged in."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(rich_server.url)
    log_in(page, rich_server)
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    kept = context.storage_state()
    context.close()
    return kept


def log_in(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/login?next={quote(page.url.removeprefix(server.url))}")
    page.get_by_label("API key").fill(server.key)
    page.get_by_role("button", name="Log in").click()


COUNT = """([stack, layer]) => {
    const found = document.querySelectorAll('.stack')[stack].querySelectorAll(`canvas[data-layer="${layer}"]`);
    const canvas = [...found].find((each) => each.checkVisibility());
    if (!canvas) return null;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const counts = {};
    for (let i = 0; i < data.length; i += 4)
        if (data[i + 3]) counts[data.slice(i, i + 3).join(' ')] = (counts[data.slice(i, i + 3).join(' ')] || 0) + 1;
    return counts;
}"""


def wait_for(page: Page, layer: int, counts: list[int] | None, stack: int = 0) -> dict[str, int]:
    """Until a layer has so many pixels of each of its colours; None: it is not shown."""
    script = f"""(place) => {{
        const found = ({COUNT})(place);
        return JSON.stringify(found && Object.values(found)) === '{json.dumps(counts, separators=(",", ":"))}';
    }}"""
    page.wait_for_function(script, arg=[stack, layer])
    found: dict[str, int] = page.evaluate(COUNT, [stack, layer]) or {}
    return found


def test_masks_are_switched_filled_outlined_faded_and_compared(open_at: Open, rich_server: Server) -> None:
    page = open_at(rich_server.url + PICTURES)
    whole = [SIDE * SIDE]
    truth, prediction = wait_for(page, 0, whole), wait_for(page, 1, whole)
    assert truth.keys() != prediction.keys(), "each layer has its own colour"
    wait_for(page, 0, whole, stack=1)
    page.get_by_label("prediction", exact=True).uncheck()
    wait_for(page, 1, None)
    wait_for(page, 1, None, stack=1)
    page.get_by_label("prediction", exact=True).check()
    page.get_by_label("outline").check()
    wait_for(page, 0, [4 * SIDE - 4])
    page.get_by_label("filled").check()
    page.get_by_label("Opacity").fill("0.8")
    assert page.evaluate("getComputedStyle(document.querySelector('.stack canvas')).opacity") == "0.8"
    page.get_by_label("errors only").check()
    wait_for(page, 0, None)
    missed = sample_folder.SHIFT * SIDE
    found = wait_for(page, 1, [missed, missed])
    assert list(found) == ["86 180 233", "213 94 0"], "false negatives on the left, false positives on the right"
    expect(page.get_by_text("false negative")).to_be_visible()
    page.get_by_label("boxes: piece").uncheck()
    expect(page.locator("svg.boxes").first).to_be_hidden()


def test_a_piece_of_the_wrong_class_is_an_error(open_at: Open, rich_server: Server) -> None:
    labels = {"value": {"0": "background", "1": "leaf", "2": "root"}}
    names = ("truth", "prediction")
    kinds = {"mask/class_labels": {f"one{sample_folder.DELIMITER}{name}": labels for name in names}}
    assert "data" in rich_server.open_run("live", "classes", config=json.dumps({"_wandb": {"value": kinds}}))[1]
    live = Live(rich_server, "classes")
    for name in names:
        mask = Image.new("L", (WIDE, 48))
        mask.paste(1, (10, 10, 30, 30))
        mask.paste(2, (20, 10, 30, 30) if name == "prediction" else (40, 10, 50, 30))
        body = io.BytesIO()
        mask.save(body, "PNG")
        live.upload(f"{name}.png", body.getvalue())
    live.upload("one.png", sample_folder.PNG)
    masks = {name: {"_type": "mask", "path": f"{name}.png"} for name in names}
    image = {"_type": "image-file", "path": "one.png", "masks": masks}
    assert live.server.stream("live", "classes", lines(summary=[json.dumps({"one": image})]))[0] == 200
    page = open_at(f"{rich_server.url}/local/live/compare?runs=classes")
    found = wait_for(page, 1, [200, 200])
    assert list(found) == ["204 121 167", "86 180 233"], "a root for a leaf, and a root that was missed"
    expect(page.get_by_text("wrong class")).to_be_visible()
    page.goto(f"{rich_server.url}/lab/pieces/compare?runs=rich,other")
    expect(page.get_by_text("false negative")).to_be_visible()
    expect(page.get_by_text("wrong class")).to_be_hidden()


def test_going_back_sets_the_slider_in_use(open_at: Open, rich_server: Server) -> None:
    page = open_at(rich_server.url + PICTURES)
    page.get_by_label("Step").fill("1")
    expect(page.locator("#step")).to_have_text("step 4, 1 of 2")
    page.reload()
    page.get_by_label("Step").focus()
    page.go_back()
    expect(page.locator("#step")).to_have_text("step 5, 2 of 2")
    expect(page.get_by_label("Step")).to_have_value("2")


def test_steps_and_pictures_are_chosen_in_place_and_what_was_set_stays(open_at: Open, rich_server: Server) -> None:
    page = open_at(rich_server.url + PICTURES)
    page.evaluate("window.mark = 1")
    page.get_by_label("outline").check()
    page.get_by_label("Step").fill("1")
    expect(page.locator("#step")).to_have_text("step 4, 1 of 2")
    page.locator(".thumbs a").nth(1).click()
    expect(page.locator("#picture h2").first).to_contain_text("plain 1")
    expect(page.locator("#step")).to_have_text("step 4, 1 of 2")
    wait_for(page, 0, [4 * SIDE - 4])
    assert page.url.endswith("index=1&style=outline")
    page.get_by_label("Step").fill("2")
    expect(page.locator("#step")).to_have_text("step 5, 2 of 2")
    expect(page.locator("#picture h2").first).to_contain_text("plain 1")
    assert page.evaluate("window.mark") == 1
    page.get_by_label("prediction", exact=True).uncheck()
    page.reload()
    expect(page.get_by_label("prediction", exact=True)).not_to_be_checked()
    wait_for(page, 0, [4 * SIDE - 4])


def test_without_script_layers_still_switch_and_steps_are_chosen(open_at: Open, rich_server: Server) -> None:
    page = open_at(rich_server.url + PICTURES, scripts=False)
    mask = page.locator(".large img[data-mask=prediction]")
    expect(mask).to_be_visible()
    page.get_by_label("prediction", exact=True).uncheck()
    expect(mask).to_be_hidden()
    page.get_by_label("Step").fill("1")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#step")).to_have_text("step 4, 1 of 2")


class Live:
    """A run that goes on: what is posted here is what its client would send."""

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name, self.lines, self.rows = server, name, 0, 0
        assert "data" in server.open_run("live", name)[1]

    def post(self, n_lines: int = 0, n_rows: int = 0, **more: Any) -> None:
        console = [f"line {self.lines + i}\n" for i in range(n_lines)]
        rows = [
            json.dumps({"_step": self.rows + i, "train/loss": 1 / (1 + self.rows + i), "a/b": i}) for i in range(n_rows)
        ]
        for body in (lines(self.lines, console=console), lines(self.rows, history=rows) | more):
            assert self.server.stream("live", self.name, body)[0] == 200
        self.lines, self.rows = self.lines + n_lines, self.rows + n_rows

    def upload(self, name: str, body: bytes) -> None:
        [url] = self.server.upload_urls("live", self.name, name)
        assert self.server.send("PUT", url, body)[0] == 200

    def show(self, iou: float) -> None:
        """A picture with a mask, in the summary."""
        masks = {"prediction": {"_type": "mask", "path": f"{iou}.mask.png"}}
        image = {"_type": "image-file", "path": f"{iou}.png", "caption": f"one: IoU {iou}", "masks": masks}
        self.upload(f"{iou}.png", sample_folder.png(picture=True))
        self.upload(f"{iou}.mask.png", sample_folder.png(picture=False))
        summary = lines(summary=[json.dumps({"test/predictions": image})])
        assert self.server.stream("live", self.name, summary)[0] == 200


def test_a_comparison_of_runs_that_go_on_shows_masks_as_they_come_and_stops_when_all_are_over(
    open_at: Open, rich_server: Server
) -> None:
    several = [Live(rich_server, name) for name in ("first", "second")]
    several[0].post(n_rows=3)
    page = open_at("about:blank")
    page.clock.install()
    page.goto(f"{rich_server.url}/local/live/compare?runs=first,second")
    expect(page.locator("#live")).to_contain_text("live")
    expect(page.get_by_label("errors only")).to_be_hidden()
    page.locator("#choose-charts summary").click()
    page.get_by_label("a/b", exact=True).uncheck()
    for number, live in enumerate(several, start=1):
        live.show(0.9 - 0.1 * number)
        page.clock.run_for(10_500)
        expect(page.locator(".masks td .stack")).to_have_count(number)
    expect(page.get_by_text("▼ worst run here")).to_have_count(1)
    expect(page.get_by_label("a/b", exact=True)).not_to_be_checked()
    page.get_by_label("outline").check()
    page.evaluate("window.mark = 1; window.scrollTo(0, 200)")
    place = page.evaluate("window.scrollY")
    page.evaluate("document.querySelectorAll('.masks .stack').forEach((each) => each.old = true)")
    several[0].show(0.6)
    page.clock.run_for(10_500)
    expect(page.locator(".masks td .iou").first).to_have_text("IoU 0.6")
    wait_for(page, 0, [4 * SIDE - 4])
    assert page.evaluate("[window.mark, window.scrollY]") == [1, place]
    same = "[...document.querySelectorAll('.masks .stack')].map((each) => Boolean(each.old))"
    assert page.evaluate(same) == [False, True], "what did not change is not loaded anew"
    for live in several:
        live.post(complete=True, exitcode=0)
    page.clock.run_for(10_500)
    expect(page.locator("#live")).to_have_text("")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.clock.run_for(120_000)
    assert sent == []


def test_a_page_that_goes_on_changes_in_place_and_one_that_is_over_stops_asking(
    open_at: Open, rich_server: Server
) -> None:
    live = Live(rich_server, "goes")
    live.post(n_rows=3)
    page = open_at("about:blank")
    page.clock.install()
    page.goto(f"{rich_server.url}/local/live/runs/goes")
    page.set_viewport_size({"width": 1400, "height": 300})
    page.locator("#section-a summary").click()
    page.evaluate("window.mark = 1; window.scrollTo(0, 40)")
    live.post(n_rows=2)
    page.clock.run_for(5_500)
    expect(page.locator("#curves > p").first).to_contain_text("5 rows")
    assert page.evaluate("[window.mark, window.scrollY]") == [1, 40]
    assert page.locator("#section-a").get_attribute("open") is None, "a closed section stays closed"
    page.evaluate("getSelection().selectAllChildren(document.querySelector('h1'))")
    live.post(n_rows=1)
    page.clock.run_for(11_000)
    expect(page.locator("#curves > p").first).to_contain_text("5 rows")
    page.evaluate("getSelection().removeAllRanges()")
    page.clock.run_for(6_000)
    expect(page.locator("#curves > p").first).to_contain_text("6 rows")
    live.post(complete=True, exitcode=0)
    page.clock.run_for(6_000)
    expect(page.locator("h1")).to_contain_text("finished")
    expect(page.locator("#live")).to_have_text("")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(120_000)
    assert asked == []


def test_the_console_follows_its_end_unless_one_reads_further_up(open_at: Open, rich_server: Server) -> None:
    live = Live(rich_server, "prints")
    live.post(n_lines=200)
    page = open_at("about:blank")
    page.clock.install()
    page.goto(f"{rich_server.url}/local/live/runs/prints/logs")
    at_end = """(() => {
        const { scrollHeight, scrollTop, clientHeight } = document.getElementById('lines');
        return scrollHeight - scrollTop - clientHeight < 5;
    })()"""
    page.wait_for_function(at_end)
    live.post(n_lines=50)
    page.clock.run_for(5_500)
    expect(page.locator("#lines")).to_contain_text("line 249")
    page.wait_for_function(at_end)
    page.evaluate("document.getElementById('lines').scrollTop = 100")
    live.post(n_lines=50)
    page.clock.run_for(5_500)
    expect(page.locator("#lines")).to_contain_text("line 299")
    assert page.evaluate("document.getElementById('lines').scrollTop") == 100


def test_a_run_is_renamed_and_stopped_by_who_is_logged_in(open_at: Open, rich_server: Server) -> None:
    live = Live(rich_server, "edited")
    live.post(n_rows=1)
    page = open_at(f"{rich_server.url}/local/live/runs/edited")
    expect(page.get_by_text("Stop…")).to_have_count(0)
    log_in(page, rich_server)
    page.get_by_text("Edit…").click()
    page.get_by_label("Name").fill("<b>new</b> name")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("h1")).to_contain_text("<b>new</b> name")
    page.get_by_text("Stop…").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("h1")).to_contain_text("asked to stop")
    live.post(complete=True, exitcode=1)
    expect(page.get_by_text("Delete…")).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("link", name="Log in")).to_be_visible()


def test_a_class_of_a_confusion_matrix_is_one_line(open_at: Open, rich_server: Server) -> None:
    names = [f"class {at}" for at in range(11)]
    rows = [{"Actual": name, "Predicted": name, "nPredictions": 1} for name in [*names, "a long name " * 20]]
    page = open_at(f"{rich_server.url}/login", width=600)
    page.evaluate("html => { document.querySelector('main').innerHTML = html; }", plots.draw(CONFUSION, {}, "cm", rows))
    heights = page.evaluate("[...document.querySelectorAll('tbody th')].map((th) => th.offsetHeight)")
    assert len(heights) == 12
    assert max(heights) < 40
    widths = page.evaluate("[...document.querySelectorAll('th')].map((th) => th.offsetWidth)")
    assert max(widths) < 300


@pytest.mark.parametrize("path", PAGES)
def test_nobody_is_kept_out_and_nothing_is_too_wide(
    open_at: Open, rich_server: Server, session: Any, path: str
) -> None:
    page = open_at(rich_server.url + path, width=360, storage_state=session)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page).response["violations"]
        serious = [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found if each["impact"] in SERIOUS]
        assert serious == [], scheme
