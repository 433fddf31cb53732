from collections.abc import Callable

import pytest

from analysis.figures import canvas
from analysis.figures.canvas import plain, wrap_label


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
