"""The pages over many runs in a browser: project, comparison, sweep."""

import re
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.server.browser.conftest import SERIOUS, Open, Site

pytestmark = pytest.mark.slow
PROJECT = "/local/lab"


def faults(page: Page, *rules: str) -> list[str]:
    """Serious findings of axe, of all its rules or of some."""
    options = {"runOnly": list(rules)} if rules else {}
    found = Axe().run(page, options=options).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found if each["impact"] in SERIOUS]


def is_too_wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def shown_runs(page: Page) -> list[str]:
    return [str(text) for text in page.locator("#runs tbody th").all_inner_texts()]


def test_a_project_is_filtered_sorted_and_grouped_without_loading_the_page_anew(open_page: Open, site: Site) -> None:
    page = open_page(PROJECT)
    page.evaluate("window.mark = 1")
    page.get_by_label("Filter", exact=True).fill("val/iou > 0.8, model ~ unet")
    expect(page.locator("#runs tbody tr")).to_have_count(4)
    page.get_by_role("link", name="test/iou").click()
    page.wait_for_url(re.compile(r"sort=-high\.test"))
    assert "q=val" in page.url
    expect(page.locator("th.sorted")).to_have_text(re.compile("test/iou"))
    page.get_by_label("Group by").select_option("model")
    expect(page.locator("#runs tbody tr")).to_have_count(2)
    assert "±" in page.locator("#runs tbody").inner_text()
    page.go_back()
    expect(page.locator("#runs tbody tr")).to_have_count(4)
    assert page.evaluate("window.mark") == 1
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    expect(page.locator("#runs tbody tr")).to_have_count(4)
    assert "test/iou" in page.locator("th.sorted").inner_text()


def test_a_view_is_saved_while_the_filter_changes_and_found_again(open_page: Open, site: Site) -> None:
    page = open_page(f"/login?next={PROJECT}")
    page.get_by_label("API key").fill(site.server.key)
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("Save this view…").click()
    page.get_by_label("Name of the view").fill("<i>the failed ones</i>")
    page.get_by_label("Filter", exact=True).fill("state = failed")
    expect(page.locator("#runs tbody tr")).to_have_count(1)
    expect(page.get_by_label("Name of the view")).to_have_value("<i>the failed ones</i>")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(f"{site.url}{PROJECT}")
    page.get_by_role("navigation", name="Saved views").get_by_role("link", name="<i>the failed ones</i>").click()
    expect(page.locator("#runs tbody tr")).to_have_count(1)
    expect(page.get_by_label("Filter", exact=True)).to_have_value("state = failed")
    page.get_by_text("Delete this view…").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("#runs tbody tr").first).to_be_visible()
    expect(page.get_by_role("navigation", name="Saved views")).to_have_count(0)


def test_ticked_runs_become_curves(open_page: Open) -> None:
    page = open_page(f"{PROJECT}?q=model+~+.")
    button = page.get_by_role("button", name="Compare curves")
    expect(button).to_be_disabled()
    boxes = page.locator("tbody input[name=runs]")
    boxes.nth(0).click()
    boxes.nth(2).click(modifiers=["Shift"])
    expect(page.locator("[data-count]")).to_have_text("3 selected")
    button.click()
    expect(page.locator("h1")).to_have_text("Compare 3 runs")
    assert page.url.count("runs=") == 3
    page.go_back()
    expect(page.locator("tbody input[name=runs]:checked")).to_have_count(3)
    expect(page.locator("[data-count]")).to_have_text("3 selected")
    expect(button).to_be_enabled()


def test_curves_name_their_lines_zoom_and_hide(open_page: Open, site: Site) -> None:
    page = open_page(f"{PROJECT}/compare?sweep={site.sweeps['grid']}")
    figure = page.locator("figure.chart").first
    box = figure.locator("> svg").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = figure.locator(".tip")
    expect(tip).to_be_visible()
    names = {name for name in page.locator("#legend .swatch").all_inner_texts() if name}
    assert all(name in tip.inner_text() for name in names)
    assert re.search(r"epoch \d", tip.inner_text())

    swatch = page.locator("#legend button").first
    swatch.click()
    expect(swatch).to_have_attribute("aria-pressed", "false")
    expect(figure.locator("g.line.off")).to_have_count(2)  # its training and its validation
    swatch.click()

    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 90)
    page.mouse.up()
    page.wait_for_url(re.compile("from=.*to="))
    low, high = map(float, re.findall(r"(?:from|to)=([\d.]+)", page.url))
    assert 1 < low < high < 12
    edges = [float(edge) for edge in str(page.locator("figure.chart").first.get_attribute("data-edges")).split()]
    assert low <= edges[0] < edges[1] <= high
    page.locator("figure.chart > svg").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("figure.chart .tip").first).to_be_visible()
    page.keyboard.press("Escape")
    page.wait_for_url(re.compile(r"compare\?sweep=\w+$"))
    expect(page.locator("button.whole")).to_have_count(0)
    for key in ("-", "Escape"):
        page.keyboard.press("+")
        page.wait_for_url(re.compile("from=.*to="))
        expect(page.locator("button.whole")).not_to_have_count(0)
        page.keyboard.press(key)
        page.wait_for_url(re.compile(r"compare\?sweep=\w+$"))
        expect(page.locator("button.whole")).to_have_count(0)
    expect(page.locator("figure.chart > svg").first).to_be_focused()

    page.get_by_label("Smoothing").fill("0.6")
    page.wait_for_url(re.compile("smooth=0.6"))
    page.get_by_label("log axis").check()
    page.wait_for_url(re.compile("log=1"))
    expect(page.locator("figure.chart[data-log='1']").first).to_be_visible()
    page.get_by_label("Group by").select_option("model")
    expect(page.locator("#legend .swatch")).to_have_count(3)
    assert page.locator("path.band").count() >= 6


def test_a_zoom_ends_where_the_pointer_is_released_even_outside(open_page: Open, site: Site) -> None:
    page = open_page(f"{PROJECT}/compare?sweep={site.sweeps['grid']}")
    figure = page.locator("figure.chart > svg").nth(1)
    figure.scroll_into_view_if_needed()
    box = figure.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(5, box["y"] + box["height"] + 200, steps=4)
    assert page.evaluate("String(getSelection())") == ""
    expect(page.locator(".pick")).to_have_attribute("x", "0")
    page.mouse.up()
    page.wait_for_url(re.compile("from=1&to="))
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 60)
    expect(page.locator(".tip:visible")).to_have_count(1)
    expect(page.locator(".pick")).to_have_count(0)


def test_another_axis_ends_a_zoom_for_its_ends_are_values_of_the_one_before(open_page: Open, site: Site) -> None:
    page = open_page(f"{PROJECT}/compare?sweep={site.sweeps['grid']}&from=3&to=6")
    page.get_by_label("Smoothing").fill("0.6")
    page.wait_for_url(re.compile("from=3&to=6&smooth=0.6"))
    page.locator("select[name=x]").select_option("time")
    page.wait_for_url(re.compile("x=time"))
    assert "from=" not in page.url
    assert "to=" not in page.url
    expect(page.locator("figure.chart").first).to_be_visible()


def test_going_back_sets_the_field_in_use(open_page: Open, site: Site) -> None:
    start = f"{PROJECT}/compare?sweep={site.sweeps['grid']}"
    page = open_page(start)
    log, smoothing, group = (page.get_by_label(name) for name in ("log axis", "Smoothing", "Group by"))
    for change, field, address in (
        (lambda: log.check(), log, "log=1"),
        (lambda: smoothing.fill("0.6"), smoothing, "smooth=0.6"),
        (lambda: group.select_option("model"), group, "group=model"),
    ):
        field.focus()
        change()
        page.wait_for_url(re.compile(address))
        page.go_back()
        page.wait_for_url(site.url + start)
        expect(field).to_be_focused()
        expect(log).not_to_be_checked()
        expect(smoothing).to_have_value("0")
        expect(group).to_have_value("")
    smoothing.fill("0.6")
    page.wait_for_url(re.compile("smooth=0.6"))
    page.reload()
    page.go_back()
    expect(smoothing).to_have_value("0")
    page.goto(site.url + PROJECT)
    words = page.get_by_label("Filter", exact=True)
    words.fill("state = failed")
    page.wait_for_url(re.compile("q=state"))
    page.go_back()
    expect(words).to_have_value("")
    page.wait_for_timeout(500)
    assert page.url == site.url + PROJECT, "what was typed is not sent again"


def test_numbers_are_told_as_finely_as_they_are_drawn(open_page: Open, site: Site) -> None:
    page = open_page(f"{PROJECT}/sweeps/{site.sweeps['search']}")

    def call(name: str, *values: Any) -> Any:
        return page.evaluate(
            """async ([module, name, values]) => {
                const found = await import(document.querySelector(`script[src$="/${module}.js"]`).src);
                return found[name](...values.map((each) => ({ floor: Math.floor, ceil: Math.ceil })[each] ?? each));
            }""",
            ["parallel" if name == "terms" else "chart", name, values],
        )

    for value, reach, text in (
        (-0.000051, 1.1, "0"),
        (0.0003, 1, "0.0003"),
        (0.9077, 1, "0.9077"),
        (15, 20_000, "15"),
        (123_456, 333, "123456"),
    ):
        assert call("write", value, reach) == text
    for low, high, kind in (
        (0.836402808877622, 0.9077455771234567, "linear"),
        (123_456, 123_789, "linear"),
        (1e9, 1e9 + 1e-5, "linear"),
        (-1e-300, 3e-300, "linear"),
        (-5.141, -0.932, "log"),
    ):
        kept = {"key": "k", "kind": kind, "edges": f"{low!r} {high!r}", "top": "40", "bottom": "306"}
        axis = {"dataset": kept}
        assert call("terms", axis, 30, 400) == call("terms", axis, 41, 305) == []
        [least] = call("terms", axis, 30, 173)
        [most] = call("terms", axis, 173, 400)
        middle = 10 ** ((low + high) / 2) if kind == "log" else (low + high) / 2
        assert least.startswith("k >= ")
        assert most.startswith("k <= ")
        for bound, side in ((float(least[5:]), -1), (float(most[5:]), 1)):
            assert side * (bound - middle) >= 0
            assert abs(bound - middle) <= (abs(middle) if kind == "log" else high - low) / 100


def test_a_brush_keeps_the_best_run_and_is_in_the_filter_that_was_in_use(open_page: Open, site: Site) -> None:
    page = open_page(f"{PROJECT}/sweeps/{site.sweeps['search']}")
    best = shown_runs(page)[0]
    words = page.get_by_label("Filter", exact=True)
    words.fill("state = finished")
    expect(page.locator("#runs tbody tr")).to_have_count(12)
    grip = page.locator(".axis[data-key='val/iou'] .grip")
    grip.scroll_into_view_if_needed()
    box = grip.bounding_box()
    assert box is not None
    x = box["x"] + box["width"] / 2
    page.mouse.move(x, box["y"] + box["height"] / 5)
    page.mouse.down()
    page.mouse.move(x, box["y"] - 5)
    page.mouse.up()
    expect(words).to_have_value(re.compile(r"^state = finished, val/iou >= 0\.\d+$"))
    assert 0 < page.locator("#runs tbody tr").count() < 12
    assert shown_runs(page)[0] == best


def test_points_over_a_logarithmic_axis_are_told_and_a_page_that_does_not_zoom_offers_none(
    open_page: Open, site: Site
) -> None:
    page = open_page(f"{PROJECT}/sweeps/{site.sweeps['search']}")
    figure = page.locator("figure.chart[data-x=learning_rate]")
    drawn = figure.locator("> svg:not(.over)")
    drawn.scroll_into_view_if_needed()
    box = drawn.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60)
    told = figure.locator(".tip > div").first
    expect(told).to_have_text(re.compile(r"^learning_rate [\d.e-]+$"))
    assert 1e-5 <= float(told.inner_text().split()[1]) <= 0.1
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 90, steps=4)
    expect(page.locator(".pick")).to_have_count(0)
    page.mouse.up()
    drawn.focus()
    page.keyboard.press("+")
    page.wait_for_timeout(500)
    assert urlsplit(page.url).query == ""


def test_what_is_hidden_and_how_masks_are_drawn_are_in_the_address_and_in_a_saved_view(
    open_page: Open, site: Site
) -> None:
    path = f"{PROJECT}/compare?sweep={site.sweeps['grid']}"
    page = open_page(f"/login?next={quote(path)}")
    page.get_by_label("API key").fill(site.server.key)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(site.url + path)
    steps = page.evaluate("history.length")
    page.locator("#legend button").first.click()
    page.locator("#legend button").nth(1).click()
    assert len(asked(page, "hide")) == 2
    expect(page.locator("figure.chart").first.locator("g.line.off")).to_have_count(4)  # training and validation
    page.locator("#legend button").nth(1).click(modifiers=["Shift"])
    assert (len(asked(page, "only")), asked(page, "hide")) == (1, [])
    page.get_by_label("errors only").uncheck()
    page.get_by_label("outline").check()
    page.get_by_label("Opacity").fill("0.3")
    assert [asked(page, name) for name in ("errors", "style", "opacity")] == [["0"], ["outline"], ["0.3"]]
    assert page.evaluate("history.length") == steps
    page.get_by_label("log axis").check()
    page.wait_for_url(re.compile("log=1"))
    expect(page.locator("figure.chart").first.locator("g.line:not(.off)")).to_have_count(2)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.url

    page.get_by_text("Save this view…").click()
    page.get_by_label("Name of the view").fill("only one")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(site.url + PROJECT)
    page.get_by_role("navigation", name="Saved views").get_by_role("link", name="only one").click()
    expect(page.locator("figure.chart").first.locator("g.line:not(.off)")).to_have_count(2)
    expect(page.get_by_label("errors only")).not_to_be_checked()
    expect(page.get_by_label("outline")).to_be_checked()
    expect(page.get_by_label("Opacity")).to_have_value("0.3")
    page.locator("#legend button").nth(1).click(modifiers=["Shift"])
    expect(page.locator("g.line.off")).to_have_count(0)
    page.get_by_text("Delete this view…").click()
    page.get_by_role("button", name="Delete").click()


def asked(page: Page, name: str) -> list[str]:
    """Value of a name in the query string of the page."""
    return parse_qs(urlsplit(page.url).query).get(name, [])


def test_the_pointer_lists_the_lines_from_the_highest_to_the_lowest_and_marks_the_nearest(
    open_page: Open, site: Site
) -> None:
    page = open_page(f"{PROJECT}/compare?sweep={site.sweeps['grid']}")
    figure = page.locator("figure.chart").first
    box = figure.locator("> svg").bounding_box()
    assert box is not None
    for share in (0.06, 0.8):
        page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * share)
        rows = figure.locator(".tip .swatch")
        expect(rows).to_have_count(12)
        values = [float(text.split("  ")[-1].split()[0]) for text in rows.all_text_contents()]
        assert values == sorted(values, reverse=True)
        marked = figure.locator(".tip b")
        expect(marked).to_have_text(re.compile("◂$"))
        nearest = rows.first if share < 0.5 else rows.last
        expect(nearest.locator("b")).to_have_count(1)


def test_masks_of_one_picture_lie_side_by_side_with_their_errors_in_colour(open_page: Open, site: Site) -> None:
    page = open_page(f"{PROJECT}/compare?sweep={site.sweeps['grid']}")
    rows = page.locator("table.masks tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first.locator(".stack")).to_have_count(6)
    rows.first.scroll_into_view_if_needed()
    canvas = rows.first.locator("canvas:not([hidden])").first
    expect(canvas).to_be_attached()
    colours = canvas.evaluate(
        """canvas => { const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const found = {}; for (let i = 0; i < data.length; i += 4) if (data[i + 3]) {
            const key = [...data.slice(i, i + 3)]; found[key] = (found[key] || 0) + 1 } return found }"""
    )
    # Two discs of radius 15, one pushed aside by 3 or 4 pixels: as many pixels too many as are missing.
    assert set(colours) == {"213,94,0", "86,180,233"}
    assert colours["213,94,0"] == colours["86,180,233"] > 60


def test_tables_of_several_runs_lie_side_by_side_and_the_worst_picture_comes_first(open_page: Open, site: Site) -> None:
    page = open_page(f"{PROJECT}/compare?sweep={site.sweeps['grid']}")
    table = page.locator("table.joined")
    expect(table.locator("tbody tr")).to_have_count(2)
    assert table.locator("thead tr").first.locator("th").count() == 1 + 6
    assert table.locator("tbody tr").first.locator(".stack img.mask").count() == 6 * 2
    expect(table.locator("tbody th").first).to_have_text("image-0")
    table.get_by_role("link", name="iou").first.click()
    expect(table.locator("tbody th").first).to_have_text("image-1")
    page.wait_for_url(re.compile(r"rows=%2Biou"))


def test_a_sweep_shows_how_far_it_is_and_a_brush_filters_its_table(open_page: Open, site: Site) -> None:
    page = open_page(f"{PROJECT}/sweeps/{site.sweeps['search']}")
    head = page.locator("#head").inner_text()
    assert re.search(r"14 of 40 \(12 finished, 1 (running, 1 failed|failed, 1 crashed)\)", head)
    assert "13 of 40 ended" in head
    assert re.search(r"val/iou 0\.9\d+, test/iou 0\.\d+", head)
    assert page.locator("#plots figure").count() >= 6
    assert "more than chance" in page.locator(".importance tr", has_text="learning_rate").inner_text()
    assert page.locator("#agent-line").inner_text() == f"wandb agent local/lab/{site.sweeps['search']}"
    assert "bench-1" in page.locator("#agents").inner_text()

    axis = page.locator(".axis[data-key=learning_rate]")
    grip = axis.locator(".grip").bounding_box()
    assert grip is not None
    x = grip["x"] + grip["width"] / 2
    page.mouse.move(x, grip["y"] + grip["height"] * 0.25)
    page.mouse.down()
    page.mouse.move(x, grip["y"] + grip["height"] * 0.75)
    page.mouse.up()
    page.wait_for_url(re.compile("q=learning_rate"))
    low, high = (
        float(text) for text in re.findall(r"[<>]= ([\d.e-]+)", page.get_by_label("Filter", exact=True).input_value())
    )
    count = page.locator("#runs tbody tr").count()
    rates = [float(text) for text in page.locator("#runs tbody tr td:nth-child(9)").all_inner_texts() if text]
    assert 0 < count < 14
    assert rates
    assert all(low <= rate <= high for rate in rates)
    expect(page.locator(".parallel .lines path.faded")).to_have_count(14 - count)
    page.locator(".axis[data-key=learning_rate] .grip").click()
    expect(page.locator("#runs tbody tr")).to_have_count(14)


@pytest.mark.parametrize("scripts", [True, False])
def test_a_question_is_closed_by_the_answer_that_changes_nothing(open_page: Open, site: Site, scripts: bool) -> None:
    page = open_page(f"/login?next={PROJECT}/sweeps/{site.sweeps['search']}", scripts=scripts)
    page.get_by_label("API key").fill(site.server.key)
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("Cancel…").click()
    answer = page.get_by_role("button", name="Cancel the sweep")
    expect(answer).to_be_visible()
    page.get_by_role("link", name="Keep going").click()
    expect(answer).to_be_hidden()
    expect(page.locator("h1")).to_contain_text("running")


def test_nothing_keeps_people_out_in_light_and_dark_and_360_pixels_are_enough(open_page: Open, site: Site) -> None:
    page = open_page("/login", width=360)
    sweep, compare = f"/sweeps/{site.sweeps['search']}", f"/compare?sweep={site.sweeps['grid']}&group=model"
    for path in ("?q=sweep+~+.", sweep, compare):
        page.goto(f"{site.url}{PROJECT}{path}")
        assert not is_too_wide(page), path
        assert faults(page) == [], path
        page.emulate_media(color_scheme="dark")
        assert faults(page, "color-contrast", "link-in-text-block") == [], path
        page.emulate_media(color_scheme="light")


def test_without_script_tables_and_curves_are_there_and_forms_work(open_page: Open, site: Site) -> None:
    page = open_page(PROJECT, scripts=False)
    page.get_by_label("Filter", exact=True).fill("model ~ deeplab")
    page.get_by_role("button", name="Show", exact=True).click()
    assert page.locator("#runs tbody tr").count() == 2
    page.get_by_role("link", name="val/iou").click()
    assert page.locator("th.sorted").count() == 1
    page.locator("tbody input[name=runs]").first.check()
    page.get_by_role("button", name="Compare curves").click()
    assert page.locator("h1").inner_text() == "Compare 1 run"
    assert page.locator("figure.chart g.line path").count() >= 4
    page.goto(f"{site.url}{PROJECT}/sweeps/{site.sweeps['search']}")
    assert page.locator("figure.chart circle").count() > 20
    assert page.locator(".parallel .lines path").count() == 14


def test_names_of_any_kind_break_no_table_and_run_no_script(open_page: Open) -> None:
    page = open_page(f"{PROJECT}?q=id+~+odd", width=1000)
    assert not is_too_wide(page)
    names = shown_runs(page)
    assert {"موديل التجزئة", "分割モデル 模型", "<script>alert(1)</script>", "a/b?c=d&e#f"} <= set(names)
    heights = page.locator("#runs tbody tr").evaluate_all("rows => rows.map(row => row.offsetHeight)")
    assert max(heights) < 90
    for name in ("<script>alert(1)</script>", "a/b?c=d&e#f"):
        page.locator("#runs tbody").get_by_role("link", name=name, exact=True).click()
        expect(page.locator("h1")).to_contain_text(name)
        page.go_back()
    page.goto(page.url.partition("?")[0] + "/compare?q=id+~+odd")
    assert page.locator("#legend .swatch").count() == 6
