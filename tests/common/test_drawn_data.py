"""The forms of `data` that mean drawn photographs."""

import pytest

from common.drawn_data import DrawnData, n_drawings, parse_drawn


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("drawn", DrawnData(None, 0)),
        ("drawn:7", DrawnData(7, 0)),
        ("drawn:0:200", DrawnData(0, 200)),
        ("photographs", None),
        ("drawn-1/photographs", None),
        ("/drawn", None),
    ],
)
def test_seed_and_number_are_read_and_all_else_is_a_folder(data: str, expected: DrawnData | None) -> None:
    assert parse_drawn(data) == expected
    assert n_drawings(data) == (expected.n if expected else 0)


@pytest.mark.parametrize(
    "data", ["drawn:", "drawn:x", "drawn:-1", "drawn:1:", "drawn:1:0", "drawn:1:2:3", "drawn:1.5", "drawn:²"]
)
def test_another_form_of_drawn_is_refused(data: str) -> None:
    with pytest.raises(ValueError, match="drawn:SEED:N"):
        parse_drawn(data)
