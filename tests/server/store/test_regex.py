"""Regular expressions of filters: any is answered soon, or refused with what is not understood."""

import contextlib
import json
import time
from typing import Any

import pytest

from server.store import Refused, Store, files, runs
from server.store.database.regex import MAX_LENGTH, compile_pattern, matches
from tests.server.content import add_project, add_run

ORDINARY = ["unet", "^unet$", ".*foo.*bar.*", r"^resnet.*-lr.*-seed\d+$", "(a|b).*", "(?i)unet", "(ab)*c", "a{2}b"]
ORDINARY += [r"[(+]+x", r"\(a+\)+", r"v\d+(\.\d+)?$", "^(unet|deeplab)-[a-z]{3,8}$", "(?P<n>ab)+", "", "größe|名"]
ORDINARY += ["^(" + "|".join(f"run{i:05}" for i in range(500)) + ")$"]
EXPONENTIAL = ["(a+)+$", "(a|a)*$", "(?:a+)+$", "((a*))*$", "(a{1,9}){2}b", "a?" * 20 + "a" * 20, "(a*)*b", ".*a*a*b"]
EXPONENTIAL += ["(a|a)" * 50 + "b", "a{1,99}a{1,99}a{1,99}b", "(?:a?){900}b", "[ab]*a[ab]{900}[cd]"]


@pytest.mark.parametrize("pattern", ORDINARY + EXPONENTIAL)
@pytest.mark.parametrize("length", [500, 100_000])
def test_every_pattern_is_answered_or_refused_soon(pattern: str, length: int) -> None:
    before = time.process_time()
    with contextlib.suppress(Refused):
        matches(pattern, "a" * length)
    assert time.process_time() - before < 1


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        *((r"(a)\1", r"\\1"), ("(?=a)b", r"\(\?="), ("(?<!a)b", r"\(\?<!"), ("(?>a)", r"\(\?>"), ("a++", r"\+\+")),
        *(("(?x)a b", r"\(\?x"), ("(?(1)a)", r"\(\?\("), ("(", "missing"), ("[", "missing"), ("*", "no argument")),
        *(("(x{1000}){1000}", "repetition size"), (r"\pL{900}", "too large"), ("\ud800", "half a character")),
        *((3, "a text"), (None, "a text"), ("x" * (MAX_LENGTH + 1), "a text")),
    ],
)
def test_what_the_engine_cannot_say_is_refused_by_name(pattern: Any, reason: str) -> None:
    with pytest.raises(Refused, match=f"regular expression.*{reason}"):
        compile_pattern(pattern)


@pytest.fixture
def project(store: Store) -> int:
    with store.write() as db:
        project = add_project(db)
        for name, note in (("r1", "U-Net\nDeepLab"), ("r2", "unet"), ("r3", "x" * 200_000)):
            add_run(db, project, name, notes=note)
    return project


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ({"$regex": "unet"}, [2]),
        ({"$regex": "u-?net", "$options": "i"}, [1, 2]),
        ({"$options": "m", "$regex": "^DeepLab$"}, [1]),
        ({"$regex": "Net.Deep"}, []),
        ({"$regex": "Net.Deep", "$options": "s"}, [1]),
        ({"$regex": "net", "$options": ""}, [2]),
        ({"$not": {"$regex": "U", "$options": "i"}}, [3]),
        ({"$regex": "x+$"}, [3]),
    ],
)
def test_a_pattern_is_searched_for_anywhere_and_takes_options(
    store: Store, project: int, test: Any, expected: list[int]
) -> None:
    assert runs.ids(store.db, project, json.dumps({"notes": test})) == expected


@pytest.mark.parametrize(
    "test", [{"$regex": "a", "$options": "x"}, {"$regex": "a", "$options": 3}, {"$options": "i"}, {"$regex": ["a"]}]
)
def test_options_that_are_not_known_are_refused(store: Store, project: int, test: Any) -> None:
    with pytest.raises(Refused):
        runs.ids(store.db, project, json.dumps({"notes": test}))


def test_a_pattern_that_may_take_too_long_on_a_value_is_refused(store: Store, project: int) -> None:
    with pytest.raises(Refused, match="make it shorter"):
        runs.ids(store.db, project, json.dumps({"notes": {"$regex": "[ab]*a[ab]{900}[cd]"}}))


def test_a_pattern_of_file_names_that_is_too_long_is_refused(store: Store, project: int) -> None:
    with pytest.raises(Refused, match="at most 1000"):
        files.of_run(store.db, 1, pattern="%a" * 30_000)
