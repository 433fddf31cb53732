"""Random variation of image and mask together: strength → one albumentations pipeline.

strength  geometry (image and mask alike)    colour and camera (image only)     chosen because
none      -                                  -                                  the baseline to beat
light     8 symmetries of the square,        -                                  seen from above a piece has
          shift 5 %, scale 0.9 to 1.1                                           no upright; costs next to nothing
medium    8 symmetries, any rotation,        brightness, contrast, hue,         another place on the table,
          shift 8 %, scale 0.8 to 1.25       saturation, all slightly           another hour of the day
strong    8 symmetries, any rotation,        the same, further, and gamma;      outlines, lamps and cameras that
          shift 10 %, scale 0.8 to 1.35,     uneven light or soft shadow;       ten photographs do not show;
          shear 8°, and perspective or       blur; noise                        needs more epochs
          grid distortion

Borders are reflected, in image and mask: photographs have no black corners, and a network would learn from them.
Masks are sampled nearest and stay 0 and 1. Motion blur is centred, for a shifted one moves the image off its mask.
Blur grows with `image_size`, as it does when the same photograph is resized less.

`python -m data.augment OUT.jpg` draws every strength on one picture, with the outline of its mask.
"""

import random
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import albumentations as A
import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from common.cli import Parser, whole_number
from common.keys import STRENGTHS
from data import synthetic
from data.dataset import Pair, load_dataset

BORDER = cv2.BORDER_REFLECT_101

Recipe = Callable[[int], list[A.BasicTransform | A.BaseCompose]]


def _none(image_size: int) -> list[A.BasicTransform | A.BaseCompose]:
    return []


def _light(image_size: int) -> list[A.BasicTransform | A.BaseCompose]:
    return [A.D4(p=1), A.Affine(translate_percent=(-0.05, 0.05), scale=(0.9, 1.1), border_mode=BORDER, p=0.5)]


def _medium(image_size: int) -> list[A.BasicTransform | A.BaseCompose]:
    return [
        A.D4(p=1),
        A.Affine(rotate=(-45, 45), translate_percent=(-0.08, 0.08), scale=(0.8, 1.25), border_mode=BORDER, p=0.8),
        A.RandomBrightnessContrast(brightness_limit=0.15, contrast_limit=0.2, p=0.7),
        A.HueSaturationValue(hue_shift_limit=6, sat_shift_limit=20, val_shift_limit=10, p=0.5),
    ]


def _strong(image_size: int) -> list[A.BasicTransform | A.BaseCompose]:
    kernel = image_size // 128 * 2 + 1
    return [
        A.D4(p=1),
        A.Affine(
            rotate=(-45, 45), translate_percent=(-0.1, 0.1), scale=(0.8, 1.35), shear=(-8, 8), border_mode=BORDER, p=0.9
        ),
        A.OneOf(
            [
                A.Perspective(scale=(0.03, 0.1), border_mode=BORDER),
                A.GridDistortion(num_steps=5, distort_limit=0.25, border_mode=BORDER),
            ],
            p=0.4,
        ),
        A.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.3, p=0.7),
        A.HueSaturationValue(hue_shift_limit=15, sat_shift_limit=40, val_shift_limit=15, p=0.6),
        A.RandomGamma(gamma_limit=(70, 140), p=0.3),
        A.OneOf(
            [
                A.Illumination(mode="linear", intensity_range=(0.05, 0.2)),
                A.PlasmaShadow(shadow_intensity_range=(0.2, 0.5), roughness=0.3),
            ],
            p=0.4,
        ),
        A.OneOf(
            [
                A.GaussianBlur(sigma_limit=(0.3, max(0.4, image_size / 256))),
                A.MotionBlur(blur_limit=(3, max(3, kernel)), allow_shifted=False),
            ],
            p=0.3,
        ),
        A.GaussNoise(std_range=(0.01, 0.03), p=0.3),
    ]


RECIPES: dict[str, Recipe] = {"none": _none, "light": _light, "medium": _medium, "strong": _strong}


def pipeline(strength: str, image_size: int, seed: int) -> A.Compose:
    """The pipeline of one strength for `image_size` (pixels) squares: `pipeline(image=…, mask=…)["image"]`.

    Raises ValueError for an unknown strength, and for an argument that albumentations would ignore with a warning.
    """
    if strength not in RECIPES:
        raise ValueError(f"augmentation is {strength!r}: use one of {', '.join(STRENGTHS)}.")
    try:
        with warnings.catch_warnings(action="error"):
            composed = A.Compose(RECIPES[strength](image_size))
    except UserWarning as warning:
        raise ValueError(f"augmentation {strength!r} cannot be built: {warning}.") from warning
    _reseed(composed, np.random.SeedSequence(seed))
    return composed


def _reseed(composed: A.Compose, source: np.random.SeedSequence) -> None:
    """Give all transforms one common random state, about 20 µs.

    Not `Compose.set_random_seed`: albumentations 2.0.8 seeds every transform alike there, so that for instance
    brightness would follow the angle of rotation.
    """
    composed.set_random_state(np.random.default_rng(source), random.Random(int(source.generate_state(1, np.uint64)[0])))


class Augmenter:
    """Augment training images so that the result depends on (seed, visit, index) and on nothing else.

    Neither the order of the calls, nor the number of workers, nor earlier visits matter: a run that is resumed in
    epoch 7 sees the same images as the uninterrupted one. An instance is for one thread at a time; make one per worker.
    """

    def __init__(self, strength: str, image_size: int, seed: int) -> None:
        """Raise ValueError as `pipeline` does."""
        # OpenCV's own threads gain nothing at these sizes, and trials side by side would fight over the cores.
        cv2.setNumThreads(0)
        self._pipeline = pipeline(strength, image_size, seed)
        self._seed = seed

    def __call__(self, image: np.ndarray, mask: np.ndarray, visit: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return new (H, W, 3) uint8 image and (H, W) uint8 mask of 0 and 1: image `index` at this visit, from 1."""
        _reseed(self._pipeline, np.random.SeedSequence(self._seed, spawn_key=(visit, index)))
        result = self._pipeline(image=image, mask=mask)
        return np.ascontiguousarray(result["image"]), np.ascontiguousarray(result["mask"])


def figure(pair: Pair) -> Image.Image:
    """One row per strength: the picture itself, or seven variations; the outline of the mask on each."""
    side, gap, left, draws = pair.image.shape[0], 4, 90, 7
    rows = len(STRENGTHS)
    sheet = Image.new("RGB", (left + draws * (side + gap), rows * (side + gap) - gap), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(20)
    for row, strength in enumerate(STRENGTHS):
        top = row * (side + gap)
        pen.text((left - 12, top + side // 2), strength, fill="black", font=font, anchor="rm")
        augment = Augmenter(strength, side, seed=0)
        for column in range(draws if RECIPES[strength](side) else 1):
            drawn = _draw_outline(*augment(pair.image, pair.mask, visit=1 + column, index=0))
            sheet.paste(Image.fromarray(drawn), (left + column * (side + gap), top))
    note = (
        f"as loaded, {side} x {side} pixels, with the outline of its mask;\n"
        f"below, as training sees it the first {draws} times"
    )
    pen.text((left + side + 5 * gap, side // 2), note, fill="black", font=font, anchor="lm", spacing=12)
    return sheet


def _draw_outline(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(image.copy(), contours, -1, (255, 0, 220), 1, cv2.LINE_AA))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the figure of one training image; the exit status is 0, or 1 after one sentence."""
    parser = Parser(prog="python -m data.augment", description="Draw every strength.")
    parser.add_argument("out", type=Path, help="picture to write, for example augment.jpg")
    parser.add_argument("--data", default="drawn", help="a folder, or drawn or drawn:SEED (default: drawn)")
    parser.add_argument("--image_size", type=whole_number(), default=160, help="side in pixels (default: 160)")
    options = parser.parse_args(arguments)
    try:
        train = load_dataset(synthetic.resolve(options.data), image_size=options.image_size).train
        figure(train[0]).save(options.out, quality=88)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
