"""Figures whose panels are placed in inches: exact, and seconds faster than letting matplotlib find a layout."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 200


def blank(width: float, height: float) -> Figure:
    """An empty figure of `width` × `height` inches that draws without a screen."""
    figure = Figure((width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def place(figure: Figure, left: float, top: float, width: float, height: float, like: Axes | None = None) -> Axes:
    """New axes, in inches from the figure's upper left corner; with the limits and scales of `like`, if given."""
    whole_width, whole_height = figure.get_size_inches()
    box = (left / whole_width, 1 - (top + height) / whole_height, width / whole_width, height / whole_height)
    return figure.add_axes(box, sharex=like, sharey=like)


def wrap_label(label: str, width: int) -> str:
    """A model's label in lines of at most `width` characters, broken only after `/` and `,` if that is possible."""
    lines: list[str] = []
    for part in re.split(r"(?<=[/,]) ", label):
        if lines and len(lines[-1]) + 1 + len(part) <= width:
            lines[-1] += f" {part}"
        else:
            lines.append(part)
    return plain("\n".join(lines))


def plain(text: str) -> str:
    """Text that matplotlib draws as it stands: a pair of `$` begins no formula."""
    return text.replace("$", r"\$")


def legend(figure: Figure, handles: Sequence[Artist], columns: int) -> None:
    """One legend at the upper edge, for all panels."""
    height = figure.get_size_inches()[1]
    figure.legend(
        handles=list(handles),
        loc="upper center",
        bbox_to_anchor=(0.5, 1 - 0.02 / height),
        ncols=columns,
        fontsize=8,
        frameon=False,
    )


def command_note(command: str) -> str:
    """The end of a caption with the command; empty if the page around the figure has it."""
    return f"; drawn by: {command}" if command else ""


def caption(figure: Figure, text: str) -> None:
    """Small print at the lower edge, broken into lines that fit."""
    width, height = figure.get_size_inches()
    lines = plain("\n".join(caption_lines(width, text)))
    figure.text(0.5, 0.06 / height, lines, ha="center", va="bottom", fontsize=7, color="0.3")


def caption_height(width: float, text: str) -> float:
    """Inches at the lower edge that `caption` takes in a figure of this width."""
    return 0.12 + 0.12 * len(caption_lines(width, text))


def caption_lines(width: float, text: str) -> list[str]:
    """Lines that fit into a figure of `width` inches."""
    return textwrap.wrap(text, int(18 * width))
