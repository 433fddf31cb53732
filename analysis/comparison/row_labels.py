"""Runs → models: the runs behind each row of the table, its name, its own settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from common import keys
from common.text import some

IDENTITY = ("architecture", "backbone", "weights")
SCIENTIFIC = ("augmentation", "width", "image_size", "score_size")
NUISANCE = ("learning_rate", "schedule", "weight_decay", "batch_size", "epochs", "repeats", "patience")
ARCHITECTURES = {
    "unet_transposed": "U-Net, transposed",
    "unet_bilinear": "U-Net, bilinear",
    "unet": "U-Net",
    "deeplabv3plus": "DeepLabV3+",
}


def with_models(runs: pd.DataFrame) -> pd.DataFrame:
    """`runs` with a column `model`, the label of its row: equal for runs that repeat each other.

    A model is an architecture with its backbone and weights; scientific fields that vary among the runs
    (augmentation, width of the U-Nets written here, sizes of the images and of their scores) make further models. Where
    some backbones are pretrained and others are not, every label with a backbone says which, so that no row wins
    unexplained.
    """
    runs = runs.copy()
    if "width" in runs:
        runs["width"] = runs["width"].where(runs["backbone"] == "none")
    fields = varying(runs, SCIENTIFIC)
    with_backbone = runs["backbone"] != "none"
    weights = bool(varying(runs[with_backbone], ["weights"]))
    names = backbone_names(runs["backbone"].astype(str).unique().tolist())
    runs["model"] = [label(row, fields, weights, names) for row in runs.to_dict("records")]
    return runs


def varying(runs: pd.DataFrame, fields: Sequence[str]) -> list[str]:
    """Names in `fields` that take more than one value among `runs`."""
    return [name for name in fields if name in runs and runs[name].nunique() > 1]


def backbone_names(backbones: Sequence[str]) -> dict[str, str]:
    """Names for people: without the `tu-` of timm's backbones, unless another backbone has the name that is left."""
    return {each: name if (name := each.removeprefix("tu-")) not in backbones else each for each in backbones}


def label(
    run: Mapping[Any, Any], fields: Sequence[str] = (), weights: bool = False, names: Mapping[str, str] | None = None
) -> str:
    """A model's name for people, such as `DeepLabV3+ / mobilenet_v2, ImageNet, strong, 512 px`.

    `weights` asks for `ImageNet` or `from scratch`, which only a model with a backbone gets; `names` are those of the
    backbones.
    """
    drawn = ", drawings" if run["weights"] == "drawn" else ""
    name = ARCHITECTURES.get(str(run["architecture"]), str(run["architecture"]))
    if run["backbone"] != "none":
        backbone = str(run["backbone"])
        name += f" / {(names or backbone_names([backbone]))[backbone]}"
        if weights and not drawn:
            name += ", ImageNet" if run["weights"] == "imagenet" else ", from scratch"
    units = {
        "augmentation": "{}",
        "width": "{:.0f} wide",
        "image_size": "{:.0f} px",
        "score_size": "scored at {:.0f} px",
    }
    return name + drawn + "".join(f", {units[f].format(run[f])}" for f in fields if pd.notna(run[f]))


def best_settings(runs: pd.DataFrame) -> tuple[pd.DataFrame, str | None]:
    """For each model the runs of one nuisance setting (learning rate, batch size, visits), and a sentence.

    Of several settings the one with the highest mean best validation IoU is kept; the test images have no say.
    The sentence tells that a choice was made, and among how many runs; None if there was nothing to choose.
    """
    fields = varying(runs, NUISANCE)
    settings = runs[fields].astype(str).agg(", ".join, axis=1) if fields else pd.Series("", index=runs.index)
    means = runs[keys.VAL_IOU].groupby([runs["model"], settings]).mean()
    if len(means) == runs["model"].nunique():
        return runs, None
    best = means.groupby(level=0).idxmax()
    kept = runs[[pair in set(best) for pair in zip(runs["model"], settings, strict=True)]]
    words = ", ".join(fields).replace("_", " ")
    return kept.reset_index(drop=True), (
        f"Settings of {words} vary: each model is shown at the one with the best mean validation IoU"
        f" ({len(kept)} of {len(runs)} runs); choosing flatters, and the more the more were tried."
    )


def with_splits(runs: pd.DataFrame) -> pd.DataFrame:
    """`runs` with `split` and `repeat`, the axes along which runs of one model repeat each other.

    `split` is the fold, `0` being the data's own split, and `FOLD of FOLDS` if re-splits stand beside folds of a
    cross-validation; if the split seed varies it is `FOLD/SPLIT_SEED`, and none is the data's own. `repeat` is the
    seed; of a run whose config has none, its run_id.
    """
    folds = runs["fold"].fillna(0) if "fold" in runs else pd.Series(0, index=runs.index)
    split = folds.astype(int).astype(str)
    if "folds" in runs and runs["folds"].fillna(0).nunique() > 1:
        of = runs["folds"].fillna(0).astype(int)
        split = split.where(of == 0, split + " of " + of.astype(str))
    if varying(runs, ["split_seed"]):
        split += "/" + runs["split_seed"].fillna(0).astype(int).astype(str)
    seeds = runs["seed"] if "seed" in runs else pd.Series(index=runs.index, dtype=float)
    repeat = [run_id if pd.isna(seed) else str(seed) for run_id, seed in zip(runs["run_id"], seeds, strict=True)]
    return runs.assign(split=split, repeat=repeat)


def one_per_seed(runs: pd.DataFrame) -> tuple[pd.DataFrame, str | None]:
    """The last run of every model, split and seed, and a sentence if others repeat one: they are no new sample.

    `runs` has the columns of `with_models` and `with_splits`; the last is the one created last. Runs of different data
    do not repeat each other.
    """
    key = [name for name in ("model", "split", "repeat", "data_digest") if name in runs]
    order = runs.sort_values("created_at", kind="stable") if "created_at" in runs else runs
    kept = order.drop_duplicates(key, keep="last").sort_index().reset_index(drop=True)
    extra = len(runs) - len(kept)
    if not extra:
        return runs, None
    return kept, (
        f"{extra} of {len(runs)} runs repeat model, split and seed of a later one and are left out: they are no"
        " further sample."
    )


def same_test_pictures(runs: pd.DataFrame) -> tuple[pd.DataFrame, str | None]:
    """The runs of each split that were tested on the pictures most of them were, and a sentence that names the others.

    Runs that do not say (`test_digest`) are taken to have seen the same. Of as many runs the last pictures count.
    """
    if "test_digest" not in runs or runs["test_digest"].isna().all():
        return runs, None
    digests = runs.groupby(["split", "test_digest"], sort=False).size().reset_index(name="n")
    usual = digests[::-1].sort_values("n", kind="stable", ascending=False).drop_duplicates("split")
    wanted = runs["split"].map(usual.set_index("split")["test_digest"])
    same = runs["test_digest"].isna() | (runs["test_digest"] == wanted)
    if same.all():
        return runs, None
    others = runs[~same]
    named = some((f"{run} of {model}" for run, model in others[["run_id", "model"]].to_numpy()), 3)
    return runs[same].reset_index(drop=True), (
        f"WARNING: {len(others)} of {len(runs)} runs were tested on other pictures than most of their split"
        f" (test_digest) and are left out: {named}."
    )


def mixed_data_warning(runs: pd.DataFrame) -> str | None:
    """A sentence if runs of one split and image size were trained on different data; else None."""
    if not {"data_digest", "split_seed", "image_size"} <= set(runs):
        return None
    same = [name for name in ("fold", "folds", "split_seed", "image_size") if name in runs]
    placed = runs[["data_digest"]].join(runs[same].fillna(0))
    most = int(placed.groupby(same)["data_digest"].nunique().max())
    if most < 2:
        return None
    return (
        f"WARNING: these runs saw {most} different data sets (data_digest): their rows cannot be compared;"
        " give the paths of one data set at a time."
    )
