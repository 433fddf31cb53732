"""The order of names."""

import random

from common.text import natural_order


def test_numbers_in_names_are_ordered_by_their_value() -> None:
    names = ["", "10", "A-2", "a-10", "image-2", "image-02", "image-10", "image-10-a", "image-x", "x" * 9 + "9" * 5000]
    expected = ["", *names[2:4], "image-02", "image-2", *names[6:9], names[9], "10"]
    shuffled = random.Random(1).sample(names, len(names))
    assert sorted(shuffled, key=natural_order) == expected
