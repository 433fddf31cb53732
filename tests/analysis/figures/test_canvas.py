from collections.abc import Callable

import pytest

from analysis.figures import canvas
from analysis.figures.canvas import plain, short_names, wrap_label


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


@pytest.mark.parametrize("draw", [plain, lambda text: wrap_label(text, 30), lambda text: caption(text)])
def test_a_pair_of_dollars_is_drawn_as_it_stands(draw: Callable[[str], str]) -> None:
    figure, text = canvas.blank(6, 2), "IMG $1 and $2"
    drawn = [figure.text(0, 0, draw(text)), figure.text(0, 0, text, parse_math=False)]
    assert drawn[0].get_window_extent().bounds == drawn[1].get_window_extent().bounds
    assert figure.text(0, 0, text).get_window_extent().bounds != drawn[1].get_window_extent().bounds


def caption(text: str) -> str:
    """The text as a caption has it."""
    figure = canvas.blank(6, 2)
    canvas.caption(figure, text)
    return figure.texts[0].get_text()
