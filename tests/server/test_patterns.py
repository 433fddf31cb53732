"""Regular expressions of filters: ordinary ones work, those that can take for ever are refused."""

import json
import time

import pytest

from server.store import Refused, Store, projects, runs
from server.store.patterns import MAX_LENGTH, compiled, matches


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "unet",
            "^unet$",
            ".*foo.*bar.*",
            r"^resnet.*-lr.*-seed\d+$",
            "(a|b).*",
            "(?i)unet",
            "(ab)*c",
            "^.*x.*$",
        ),
        *(r"[(+]+x", r"\(a+\)+", r"v\d+(\.\d+)?$", "^(unet|deeplab)-[a-z]{3,8}$", "a{2}b", "(?P<n>ab)+", ""),
    ],
)
def test_ordinary_patterns_are_taken(pattern: str) -> None:
    assert compiled(pattern).pattern == pattern


SLOW = [
    "(a+)+$",
    "(a|a)*$",
    "(?:a+)+$",
    "(?P<n>a+)*$",
    "((a*))*$",
    "(a{1,9}){2}b",
    "x.*x.*x.*y",
    "a?" * 20 + "a" * 20,
]
SLOW += ["(?x)(a+) +$", "(a*)*b", "(?=(a+))*b", "x{1,99}x{1,99}x{1,99}y"]


@pytest.mark.parametrize("pattern", SLOW)
def test_patterns_that_can_take_for_ever_are_refused(pattern: str) -> None:
    with pytest.raises(Refused, match="may take too long"):
        compiled(pattern)


@pytest.mark.parametrize("pattern", ["(", "*", "a{2,1}", "x" * (MAX_LENGTH + 1), 3, None, "[", "(?P<n>"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(Refused, match="regular expression"):
        compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "longest"),
    [("x.*x.*y", 310), ("^x.*x.*x.*y", 310), ("x.*y", 5477), ("x?" * 12 + "x" * 12 + "y", 5000)],
)
def test_the_slowest_patterns_that_are_taken_end_soon_on_the_longest_text(pattern: str, longest: int) -> None:
    before = time.process_time()
    assert not matches(pattern, "x" * longest)
    assert time.process_time() - before < 2
    if pattern.count("*"):
        with pytest.raises(Refused, match="too long on"):
            matches(pattern, "x" * (longest + 1))


def test_a_value_that_is_too_long_for_the_pattern_and_a_list_that_takes_too_long_are_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.write() as db:
        project, _ = projects.ensure(db, "local", "p", store.clock())
        runs.insert(db, project["id"], "r", "running", store.clock(), notes="x" * 1000)
    assert runs.ids(store.db, project["id"], '{"notes": {"$regex": "^x+$"}}') != []
    with pytest.raises(Refused, match="fewer of"):
        runs.ids(store.db, project["id"], '{"notes": {"$regex": "x.*x.*y"}}')
    monkeypatch.setattr(runs, "MAX_SECONDS", -1.0)
    with pytest.raises(Refused, match="more than -1 seconds"):
        runs.number(store.db, project["id"], json.dumps({"$or": [{"name": {"$regex": "q"}}] * 50}))
    monkeypatch.undo()
    assert runs.number(store.db, project["id"]) == 1
