"""Logins of browsers, and the changes that a form of a page may make."""

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator
from html import unescape
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from server.__main__ import main
from server.pages.access_control import own_address
from server.store import Store, folder_transaction, logins, users
from tests.server.conftest import Clock
from tests.server.markup import check_harmless, read
from tests.server.people import COMMIT, People
from tests.server.people import SWEEP as NEW_SWEEP
from tests.server.running import Server, start

RUN = "/anna/p/runs/r"
SWEEP = "method: grid\nparameters: {x: {values: [1, 2]}}"


class Browser:
    """Follows redirects and keeps cookies; `page` is the last page."""

    def __init__(self, server: Server) -> None:
        self.server, self.jar, self.page, self.address = server, CookieJar(), "", ""
        self._open = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar)
        )

    def get(self, path: str) -> int:
        return self._send(urllib.request.Request(path if "://" in path else self.server.url + path))

    def post(self, path: str, **fields: str) -> int:
        body = urllib.parse.urlencode(fields).encode()
        return self._send(urllib.request.Request(self.server.url + path, body))

    def change(self, path: str, **fields: str) -> int:
        """With the mark of the page that was opened last."""
        return self.post(path, csrf=self.csrf, **fields)

    def _send(self, request: urllib.request.Request) -> int:
        try:
            answer = self._open.open(request, timeout=20)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            self.page, self.address = answer.read().decode(), answer.url
            return int(answer.status)

    @property
    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="(\w+)"', self.page)
        return found[1] if found else ""

    def log_in(self, key: str, **fields: str) -> int:
        return self.post("/login", key=key, **fields)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """anna owns a run, a sweep and an artifact; ben may read them, carl may not."""
    people = People.start(tmp_path_factory.mktemp("login") / "folder", "anna ben carl", ("ben", "anna", "reader"))
    yield people
    people.server.stop()


@pytest.fixture
def anna(people: People) -> Browser:
    people.server.open_run("p", "r", people.keys["anna"], entity="anna")
    return logged_in(people, "anna")


def logged_in(people: People, who: str) -> Browser:
    browser = Browser(people.server)
    assert browser.log_in(people.keys[who]) == 200
    return browser


def run(people: People, name: str = "r") -> Any:
    query = """query Q($n: String!) { project(name: "p", entityName: "anna") {
        run(name: $n) { displayName notes tags stopped } } }"""
    return people.ask("anna", query, n=name)["project"]["run"]


def test_a_key_opens_the_page_that_was_asked_for_and_a_logout_closes_it(people: People) -> None:
    browser = Browser(people.server)
    assert browser.get("/anna/p/runs/r?page=1&x=%C3%BC") == 401
    wanted = unescape(re.findall('name="next" value="(.*?)"', browser.page)[0])
    assert browser.log_in("k" * 40, next=wanted) == 403
    assert "no key of this server" in browser.page
    assert browser.log_in(people.keys["anna"], next=wanted) in (200, 404)
    assert browser.address.endswith("/anna/p/runs/r?page=1&x=%C3%BC")
    [cookie] = browser.jar
    assert (cookie.has_nonstandard_attr("HttpOnly"), cookie.get_nonstandard_attr("SameSite")) == (True, "strict")
    token = cookie.value
    assert browser.get("/") == 200
    assert browser.change("/logout") == 401
    assert list(browser.jar) == []
    assert people.server.get("/", Cookie=f"{cookie.name}={token}")[0] == 401, "the session itself is over"


def test_a_link_logs_in_once_and_its_secret_stays_in_no_address(
    people: People, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["user", "link", "ben", "--dir", str(people.server.folder)]) == 0
    link = capsys.readouterr().out.strip()
    assert link.startswith(people.server.url)
    assert people.server.send("HEAD", link, None)[0] == 200, "which spends nothing"
    browser = Browser(people.server)
    assert browser.get(link + "&next=/anna/p") in (200, 404)
    assert browser.address == f"{people.server.url}/anna/p"
    assert "ben" in browser.page
    assert Browser(people.server).get(link) == 403
    secret = link.partition("=")[2]
    for path in people.server.folder.iterdir():
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_the_start_prints_a_link_that_logs_in(tmp_path: Path) -> None:
    server = start(tmp_path / "folder")
    try:
        assert server.process.stdout is not None
        server.process.stdout.readline()
        link = re.findall(r"http\S+", server.process.stdout.readline().decode())[0]
        browser = Browser(server)
        assert browser.get("/") == 200
        assert "Log in" in browser.page
        assert browser.get(link) == 200
        assert "Log out" in browser.page
    finally:
        server.stop()


def test_a_key_that_is_rotated_or_removed_ends_its_logins(people: People) -> None:
    folder = str(people.server.folder)
    with folder_transaction(people.server.folder) as db:
        users.add(db, "dora", key := users.new_key(), 0.0)
    first = Browser(people.server)
    assert first.log_in(key) == 200
    assert main(["user", "rotate", "dora", "--key", "d" * 41, "--dir", folder]) == 0
    assert first.get("/") == 401
    second = Browser(people.server)
    assert second.log_in("d" * 41) == 200
    assert main(["user", "remove", "dora", "--dir", folder]) == 0
    assert second.get("/") == 401


def test_logins_expire(store: Store, clock: Clock) -> None:
    with store.write() as db:
        session = logins.start(db, logins.SESSION, "h", clock.now)
        link = logins.start(db, logins.LINK, "h", clock.now)
    assert logins.key_hash(store.db, session, logins.LINK, clock.now) is None, "one is not the other"
    assert logins.key_hash(store.db, session, logins.SESSION, clock.now + 13 * logins.DAY) == "h"
    assert logins.key_hash(store.db, session, logins.SESSION, clock.now + 14 * logins.DAY) is None
    assert logins.spend(store.db, link, clock.now + logins.DAY) is None


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\r\nX: y",
        "",
        "evil",
        "/\t/evil",
    ],
)
def test_a_login_leads_to_no_other_site(wanted: str) -> None:
    assert own_address(wanted) == "/"
    assert own_address("/a/b?c=%20d&e=/f#g") == "/a/b?c=%20d&e=/f#g"


def test_name_notes_and_tags_are_edited_and_a_run_is_stopped_and_deleted(people: People, anna: Browser) -> None:
    assert anna.get(f"{RUN}/overview") == 200
    fields = {"display_name": " new ", "notes": "two\r\nlines", "tags": "b, a,, b ", "tab": "overview"}
    assert anna.change(RUN, action="edit", **fields) == 200
    assert anna.address.endswith(f"{RUN}/overview")
    assert run(people) == {"displayName": "new", "notes": "two\nlines", "tags": ["b", "a"], "stopped": False}
    assert anna.change(RUN, action="delete") == 422
    assert "stop it first" in anna.page
    anna.get(RUN)
    assert anna.change(RUN, action="stop") == 200
    assert run(people)["stopped"] is True
    key = people.server.basic(people.keys["anna"])
    end = people.server.stream("p", "r", {"complete": True, "exitcode": 1}, "anna", Authorization=key)
    assert json.loads(end[1]) == {"stopped": True}
    assert anna.change(RUN, action="stop") == 422
    anna.get(RUN)
    assert anna.change(RUN, action="delete") == 200
    assert anna.address.endswith("/anna/p")
    assert anna.get(RUN) == 404


BAD = [
    ({"action": "edit", "display_name": "  "}, "needs a name"),
    ({"action": "edit", "display_name": "x" * 301}, "at most 300"),
    ({"action": "edit", "notes": "x" * 20_001}, "at most 20000"),
    ({"action": "edit", "tags": "x" * 65}, "at most 64"),
    ({"action": "edit", "tags": ",".join(map(str, range(51)))}, "at most 50 tags"),
    ({"action": "<b>"}, "edit, stop, delete"),
    ({}, "may ask for"),
]


@pytest.mark.parametrize(("fields", "words"), BAD, ids=[words for _, words in BAD])
def test_what_makes_no_sense_changes_nothing_and_is_one_sentence(
    people: People, anna: Browser, fields: dict[str, str], words: str
) -> None:
    before = run(people)
    anna.get(RUN)
    assert anna.change(RUN, **fields) == 422
    assert words in anna.page
    assert "<b>" not in anna.page.partition("<main")[2].partition("role")[2].partition(">")[2].partition("</p>")[0]
    assert run(people) == before


def test_aliases_are_added_moved_and_dropped(people: People, anna: Browser) -> None:
    made = people.upload("anna", "anna", b"content", "c1")
    assert people.server.send("PUT", made["uploadUrl"], b"content")[0] == 200
    people.ask("anna", COMMIT, id=made["id"])
    place = "/anna/p/artifacts/model/m/v0"
    aliases = '{ project(name: "p", entityName: "anna") { artifact(name: "m:v0") { aliases { alias } } } }'

    def now() -> set[str]:
        found = people.ask("anna", aliases)["project"]["artifact"]["aliases"]
        return {each["alias"] for each in found} - {"v0"}

    assert anna.get(place) == 200
    assert anna.change(place, action="add", alias=" good one ") == 200
    assert now() == {"latest", "good one"}
    assert anna.change(place, action="drop", alias="good one") == 200
    assert now() == {"latest"}
    for alias in ("", "v7", "a/b", "a:b", "x" * 200):
        anna.get(place)
        assert anna.change(place, action="add", alias=alias) == 422, alias
    assert now() == {"latest"}


def test_a_sweep_is_paused_resumed_stopped_and_canceled_for_good(people: People, anna: Browser) -> None:
    name = people.ask("anna", NEW_SWEEP, entity="anna", config=SWEEP)["upsertSweep"]["sweep"]["name"]
    place = f"/anna/p/sweeps/{name}"
    state = f'{{ project(name: "p", entityName: "anna") {{ sweep(sweepName: "{name}") {{ state }} }} }}'
    for action, status, after in (
        *(("pause", 200, "PAUSED"), ("resume", 200, "RUNNING"), ("resume", 200, "RUNNING")),
        *(("stop", 200, "FINISHED"), ("pause", 422, "FINISHED"), ("cancel", 422, "FINISHED")),
        *(("resume", 200, "RUNNING"), ("cancel", 200, "CANCELED"), ("resume", 422, "CANCELED")),
    ):
        anna.get(place)
        assert anna.change(place, action=action) == status, action
        assert people.ask("anna", state)["project"]["sweep"]["state"] == after


CHANGES = [
    (RUN, "delete"),
    ("/anna/p/views", "save"),
    ("/anna/p/sweeps/x", "cancel"),
    ("/anna/p/artifacts/model/m/v0", "drop"),
]


@pytest.mark.parametrize(("path", "action"), CHANGES, ids=[action for _, action in CHANGES])
def test_only_a_form_of_ones_own_page_changes_something(people: People, anna: Browser, path: str, action: str) -> None:
    ben = logged_in(people, "ben")
    ben.get("/")
    anna.get("/")
    for csrf in ("", ben.csrf, anna.csrf[:-1], "ü"):
        assert anna.post(path, action=action, csrf=csrf) == 403
    body = urllib.parse.urlencode({"action": action, "csrf": anna.csrf}).encode()
    cookie = "; ".join(f"{each.name}={each.value}" for each in anna.jar)
    form = {"Content_Type": "application/x-www-form-urlencoded", "Cookie": cookie}
    for foreign in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}):
        assert people.server.send("POST", path, body, **form, **foreign)[0] == 403
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/json"):
        assert people.server.send("POST", path, body, **(form | {"Content_Type": kind}))[0] == 400
    assert Browser(people.server).post(path, action=action, csrf=anna.csrf) == 401
    assert anna.get(RUN) == 200


def test_who_may_only_read_sees_no_buttons_and_changes_nothing(people: People, anna: Browser) -> None:
    ben = logged_in(people, "ben")
    anna.get(RUN)
    assert 'value="edit"' in anna.page
    before = run(people)
    assert ben.get(RUN) == 200
    assert re.findall(r'<button name="action"', ben.page) == []
    for fields in ({"action": "edit", "notes": "mine"}, {"action": "stop"}, {"action": "delete"}):
        assert ben.change(RUN, **fields) == 422
        assert "may read the entity anna" in ben.page
        ben.get(RUN)
    assert run(people) == before


def test_what_a_person_may_not_see_is_not_there_to_be_changed(people: People, anna: Browser) -> None:
    carl = logged_in(people, "carl")
    for path in (RUN, "/anna/p/sweeps/x", "/anna/p/artifacts/model/m/v0", "/anna/p/views"):
        carl.get("/")
        assert carl.change(path, action="delete") == 404


def test_the_feed_takes_a_key_as_the_password_of_http(people: People, anna: Browser) -> None:
    assert people.server.get("/anna/p/feed")[0] == 401
    status, body = people.server.get("/anna/p/feed", Authorization=people.server.basic(people.keys["ben"]))
    assert (status, body[:5]) == (200, b"<?xml")


def test_a_guest_on_this_machine_looks_and_changes_nothing(server: Server) -> None:
    server.open_run("guest", "guest")
    guest = Browser(server)
    assert guest.get("/local/guest/runs/guest") == 200
    assert 'name="csrf"' not in guest.page
    assert guest.post("/local/guest/runs/guest", action="delete", csrf="") == 401
    assert guest.get("/local/guest/runs/guest") == 200


def test_a_form_that_is_too_large_is_refused(people: People, anna: Browser) -> None:
    anna.get(RUN)
    assert anna.change(RUN, action="edit", notes="x" * (1 << 20)) == 400
    many = {f"f{i}": "" for i in range(1001)}
    anna.get(RUN)
    assert anna.change(RUN, **many) == 400


def test_a_view_is_kept_under_a_name_found_again_replaced_and_deleted(people: People, anna: Browser) -> None:
    views, evil = "/anna/p/views", "<script>alert(1)</script>\"'"
    wanted = "/anna/p/compare?runs=r&smooth=0.5&search=&chart=iou"
    anna.get("/anna/p")
    assert anna.change(views, action="save", name=f" the  best\n{evil} ", address=wanted) == 200
    assert anna.address.endswith("/anna/p/compare?runs=r&smooth=0.5&chart=iou")
    page = read(anna.page)
    check_harmless(page)
    [link] = page.one("nav", aria_label="Saved views").all("a")
    assert (link.text, link.attributes["aria-current"]) == (f"the best {evil}", "page")
    for path in ("/anna/p", "/anna/p?q=x"):
        anna.get(path)
        [link] = read(anna.page).one("nav", aria_label="Saved views").all("a")
        assert link.attributes["href"] == "/anna/p/compare?runs=r&smooth=0.5&chart=iou"
        assert "aria-current" not in link.attributes
    assert anna.change(views, action="save", name=f"the best {evil}", address="/anna/p?q=state+%3D+failed&q=") == 200
    assert anna.address.endswith("/anna/p?q=state+%3D+failed")
    assert len(read(anna.page).one("nav", aria_label="Saved views").all("a")) == 1
    assert people.ask("anna", REPORTS)["project"]["allViews"]["edges"] == [], "a view is no report"
    ben = logged_in(people, "ben")
    ben.get("/anna/p")
    assert "the best" in ben.page
    assert "Save this view" not in ben.page
    assert ben.change(views, action="delete", name=f"the best {evil}") == 422
    anna.get("/anna/p")
    assert anna.change(views, action="delete", name=f"the best {evil}") == 200
    assert "Saved views" not in anna.page


REPORTS = """query { project(name: "p", entityName: "anna") {
    allViews(viewType: "runs") { edges { node { name } } } } }"""
NO_VIEW = [
    *("", "/", "//evil.example", "/anna/p/runs/r", "/anna/q", "/anna/pq"),
    *("/anna/p/../q", "/anna/p/sweeps/", "/anna/p/sweeps/a/b", "javascript:alert(1)", "/anna/p?q=" + "x" * 8000),
]


@pytest.mark.parametrize("address", NO_VIEW)
def test_a_view_is_of_a_page_of_its_own_project(anna: Browser, address: str) -> None:
    anna.get("/anna/p")
    assert anna.change("/anna/p/views", action="save", name="x", address=address) == 422
    anna.get("/anna/p")
    assert "Saved views" not in anna.page
