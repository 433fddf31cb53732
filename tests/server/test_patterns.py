"""Regular expressions of filters: ordinary ones work, those that can take for ever are refused."""

import time

import pytest

from server.store import Refused
from server.store.patterns import MAX_LENGTH, compiled


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


def test_the_slowest_patterns_that_are_taken_end_in_seconds() -> None:
    """The longest text that filters see has 1000 characters."""
    before = time.monotonic()
    for pattern in ("x.*x.*y", "^x.*x.*x.*y", "x?" * 12 + "x" * 12 + "y"):
        assert compiled(pattern).search("x" * 1000) is None
    assert time.monotonic() - before < 20
