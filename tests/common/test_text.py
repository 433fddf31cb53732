"""The order of names, and long ones cut."""

import random

import pytest

from common.text import natural_order, short_names


def test_numbers_in_names_are_ordered_by_their_value() -> None:
    names = ["", "10", "A-2", "a-10", "image-2", "image-02", "image-10", "image-10-a", "image-x", "x" * 9 + "9" * 5000]
    expected = ["", *names[2:4], "image-02", "image-2", *names[6:9], names[9], "10"]
    shuffled = random.Random(1).sample(names, len(names))
    assert sorted(shuffled, key=natural_order) == expected


@pytest.mark.parametrize(
    ("names", "width", "short"),
    [
        (["image-4", "image-16"], 8, ["image-4", "image-16"]),
        (["WhatsApp Image at 15.30.12", "WhatsApp Image at 15.31.12"], 16, ["WhatsAp…15.30.12", "WhatsAp…15.31.12"]),
        (["a1" + "x" * 20, "a2" + "x" * 20], 5, ["a1…xx", "a2…xx"]),
        (["abcd1" + "x" * 20, "abcd2" + "x" * 20], 7, ["abcd1…x", "abcd2…x"]),
        (["x" * 20 + "1abcd", "x" * 20 + "2abcd"], 7, ["x…1abcd", "x…2abcd"]),
        (["x" * 20 + "1" + "y" * 20, "x" * 20 + "2" + "y" * 20], 5, ["…xx1…", "…xx2…"]),
        (["x" * 20 + "1" + "y" * 20 + "1" + "z" * 20], 5, ["xx…zz"]),
        (["z" * 90, "z" * 91], 5, ["1: z…", "2: z…"]),
        ([], 5, []),
    ],
)
def test_long_names_are_cut_where_they_stay_different(names: list[str], width: int, short: list[str]) -> None:
    assert list(short_names(names, width).items()) == list(zip(names, short, strict=True))
