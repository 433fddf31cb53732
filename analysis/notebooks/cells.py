"""What stands in the notebooks: headings, and calls of `show` whose text and pictures come out of the results."""

from __future__ import annotations

START = """%cd -q ROOT
from analysis.notebooks import show
from analysis.pull.study import pull

study = pull(PATHS)"""
"""The first cell; ROOT is the way from the notebook to the root of the project, where cache and results lie."""

NOTEBOOKS: dict[str, list[tuple[str, str]]] = {
    "1_baseline": [
        ("# 1 · The baseline and its two variants", START),
        (
            "The U-Nets written here, trained from scratch: upsampling by transposed convolution, and bilinear.",
            'unets = show.part(study, study.runs["backbone"] == "none")\nshow.answer(unets)',
        ),
        ("## On the test images", "show.table(unets)"),
        ("", "show.differences(unets)"),
        ("The same by the other rule.", "show.table(unets, 1)"),
        ("## Learning curves", "show.curves(unets)"),
        ("", "show.verdicts(unets)"),
        ("## Masks", "show.masks(unets)"),
        ("## Made with", "show.facts(unets)"),
    ],
    "2_overfitting": [
        ("# 2 · Overfitting", START),
        ("Every model of the study.", "every = show.part(study)\nshow.curves(every)"),
        ("## What the curves say", "show.verdicts(every)"),
        ("## Augmentation", "show.effects(every)"),
        ("## What choosing the other checkpoint would have changed", "show.table(every, 1)"),
    ],
    "3_backbones": [
        ("# 3 · Backbones and DeepLabV3+", START),
        (
            "Decoders of segmentation_models_pytorch on several backbones.",
            'backbones = show.part(study, study.runs["backbone"] != "none")\nshow.answer(backbones)',
        ),
        ("## On the test images", "show.table(backbones)"),
        ("", "show.intervals(backbones)"),
        ("## Which differences are more than chance", "show.differences(backbones)"),
        (
            "## DeepLabV3+ alone",
            'show.answer(show.part(study, study.runs["architecture"] == "deeplabv3plus"))',
        ),
        ("## Costs", "show.table(backbones, 3)"),
        ("## Masks", "show.masks(backbones)"),
    ],
    "4_summary": [
        ("# 4 · Insights, challenges, improvements", START),
        ("## Insights", "every = show.part(study)\nshow.answer(every)"),
        ("", "show.intervals(every)"),
        ("", "show.importance(every)"),
        ("", "show.importances(every)"),
        ("## Challenges", "show.limits(every)"),
        ("The hardest test images.", "show.hard(every)"),
        ("How far the table can be trusted.", "show.notes(every)"),
        ("## Improvements", "show.improvements(every)"),
        ("## Made with", "show.facts(every)"),
    ],
}
"""Name → (text above, code) of every pair of cells; an empty text is no cell."""
