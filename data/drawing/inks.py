"""The colours that prints are made of."""

import cv2
import numpy as np
from numpy.typing import NDArray

from data.drawing.noise import Rng

Colour = NDArray[np.float64]

INKS = {
    "ice": (168, 184, 212),
    "lavender": (160, 160, 198),
    "sea": (72, 134, 152),
    "navy": (42, 66, 140),
    "black": (36, 35, 38),
    "umber": (62, 46, 42),
    "skin": (214, 172, 158),
    "white": (218, 216, 220),
    "magenta": (164, 60, 128),
    "orange": (204, 122, 72),
    "straw": (202, 174, 132),
    "leaf": (70, 112, 72),
    "brick": (156, 54, 48),
    "sun": (218, 188, 84),
    "cardboard": (158, 147, 134),
}
_DARK = ("black", "black", "umber", "navy")
_PALE = ("cardboard", "cardboard", "ice", "lavender", "straw")


def ink(rng: Rng, kind: str = "mixed") -> Colour:
    """A colour (3,) that suits the kind of print."""
    if kind in ("mixed", "flat") and rng.random() < 0.25:
        hsv = np.array([[[rng.uniform(0, 180), rng.uniform(30, 160), rng.uniform(60, 230)]]], np.uint8)
        return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0], np.float64)
    names = {"dark": _DARK, "pale": _PALE}.get(kind, tuple(INKS))
    colour = np.array(INKS[str(rng.choice(names))], np.float64)
    spread = 6 if kind == "dark" else 16
    return np.clip(colour + rng.normal(0, spread) + rng.normal(0, spread / 3, 3), 18, 232)
