"""The pictures of a report as texts inside the page: PNG and JPEG as data URIs, curves as numbers."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image as Pillow

from analysis.comparison.comparison import Comparison
from analysis.curves.overfitting import CURVES
from analysis.figures.mask_grid import COLOURS, MOST_IMAGES, MOST_MODELS, count_images, error_picture
from analysis.figures.median_runs import median_runs, shown_run
from analysis.pull.masks import Image, Mask, Predictions
from common import keys
from common.colours import SERIES, assign

MOST_PIXELS = 512
"""Longest side of a photograph or mask in a report; larger ones are made smaller."""
MOST_EPOCHS = 300
"""Points of a curve in a report; of longer ones every second, third, … epoch."""
MOST_CURVES = 24
PALETTE = bytes(part for colour in COLOURS.values() for part in colour)


def data_uri(content: bytes, kind: str) -> str:
    """Bytes as the address of a picture inside the page."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def photograph(picture: Image) -> str:
    """(H, W, 3) as a JPEG in the page."""
    file = BytesIO()
    smaller(Pillow.fromarray(picture), Pillow.Resampling.BICUBIC).save(file, "JPEG", quality=80)
    return data_uri(file.getvalue(), "jpeg")


def errors(truth: Mask, prediction: Mask) -> str:
    """`mask_grid.error_picture` as a PNG of four colours in the page."""
    picture = smaller(Pillow.fromarray(error_picture(truth, prediction)), Pillow.Resampling.NEAREST)
    palette = Pillow.new("P", (1, 1))
    palette.putpalette(PALETTE)
    file = BytesIO()
    picture.quantize(palette=palette, dither=Pillow.Dither.NONE).save(file, "PNG", optimize=True)
    return data_uri(file.getvalue(), "png")


def smaller(picture: Pillow.Image, how: Pillow.Resampling) -> Pillow.Image:
    """The picture with at most `MOST_PIXELS` on its longer side."""
    factor = MOST_PIXELS / max(picture.size)
    if factor >= 1:
        return picture
    return picture.resize((round(picture.width * factor), round(picture.height * factor)), how)


def drawing(figure: Figure, dpi: int = 130) -> bytes:
    """A figure as PNG; equal figures give equal bytes."""
    file = BytesIO()
    figure.savefig(file, format="png", dpi=dpi, metadata={"Software": None})
    return file.getvalue()


def mask_grid(comparison: Comparison, predictions: Mapping[str, Predictions], *, photographs: bool) -> dict[str, Any]:
    """Data of the page's masks: images (name, size, photograph, truth), models (name, masks by image), n of images.

    The photograph is empty without `photographs`. Empty lists if no run has predictions.
    """
    run_id = shown_run(comparison)
    if run_id is None:
        return {"images": [], "models": [], "n": ""}
    first = predictions[run_id]
    stems = list(first.truth)[:MOST_IMAGES]
    runs = median_runs(comparison, stems).head(MOST_MODELS)
    images = [
        {
            "name": stem,
            "height": first.truth[stem].shape[0],
            "width": first.truth[stem].shape[1],
            "photograph": photograph(first.images[stem]) if photographs else "",
            "truth": errors(first.truth[stem], first.truth[stem]),
        }
        for stem in stems
    ]
    models = [
        {"name": str(run["model"]), "iou": f"{run[keys.TEST_IOU]:.3f}", "masks": masks_of(run, predictions, stems)}
        for run in runs.to_dict("records")
    ]
    return {"images": images, "models": models, "n": count_images(comparison, stems)}


def masks_of(
    run: Mapping[Any, Any], predictions: Mapping[str, Predictions], stems: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Image → the picture of the tested checkpoint's errors and its content in words."""
    own = predictions[str(run["run_id"])]
    masks = own.masks[str(run[keys.TEST_RULE])]
    return {
        stem: {"src": errors(own.truth[stem], masks[stem]), "alt": in_words(own.truth[stem], masks[stem])}
        for stem in stems
        if stem in masks
    }


def in_words(truth: Mask, prediction: Mask) -> str:
    """IoU and the errors of one mask in words, in place of the picture."""
    union, many, few = truth | prediction, int((prediction & ~truth).sum()), int((truth & ~prediction).sum())
    iou = float((truth & prediction).sum() / union.sum()) if union.any() else 1.0
    return f"IoU {iou:.3f}; {many} pixels too many and {few} missing of {int(truth.sum())} in the truth"


def curve_data(comparison: Comparison, history: pd.DataFrame) -> list[dict[str, Any]]:
    """Curves of at most `MOST_CURVES` models, best first, as plain values for the page.

    Per model: name, n, colours (on light, on dark), rule, epochs, best (epochs tested) and for each of
    `overfitting.CURVES` mean, low and high over its runs, None where not finite.

    A mean ends with its shortest run; a run without any finite value is left out.
    """
    models = [str(model) for model in comparison.table["model"][:MOST_CURVES]]
    return [
        curves_of(model, comparison.runs[comparison.runs["model"] == model], history)
        | {"colours": SERIES[number % len(SERIES)]}
        for model, number in assign(models).items()
    ]


def curves_of(model: str, runs: pd.DataFrame, history: pd.DataFrame) -> dict[str, Any]:
    """One model's entry of `curve_data`."""
    own = history[history["run_id"].isin(runs["run_id"])]
    wide = {name: finite_runs(own.pivot(index="epoch", columns="run_id", values=name)) for name in CURVES}
    epochs = list(wide[CURVES[0]].index)
    step = max(1, math.ceil(len(epochs) / MOST_EPOCHS))
    rule = str(runs[keys.TEST_RULE].iloc[0])
    return {
        "name": model,
        "n": len(runs),
        "rule": rule,
        "epochs": [int(epoch) for epoch in epochs[::step]],
        "best": sorted(int(epoch) for epoch in runs[f"{rule}/epoch"]),
        "curves": {
            name: {
                "mean": numbers(table.mean(axis=1, skipna=False)[::step]),
                "low": numbers(table.min(axis=1)[::step]),
                "high": numbers(table.max(axis=1)[::step]),
            }
            for name, table in wide.items()
        },
    }


def finite_runs(wide: pd.DataFrame) -> pd.DataFrame:
    """The columns that have a finite value."""
    return wide[[run_id for run_id in wide if np.isfinite(wide[run_id].astype(float)).any()]]


def numbers(values: pd.Series[float]) -> list[float | None]:
    """Numbers for JSON: four significant digits, None if not finite."""
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in values.astype(float)]
