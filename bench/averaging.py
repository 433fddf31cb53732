"""Gain of averages over symmetries and seeds: `python -m bench.averaging ENTITY/PROJECT/SWEEP --data FOLDER`.

For each model of a sweep, the test IoU (foreground, pooled, at the photographs' own size) of its runs alone and over
the eight symmetries (mean over runs), and of all its runs together, without and with the symmetries. The runs of a
sweep over folds were trained on some of the test images of others: take one on the folder's own split.
"""

import sys
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
import wandb

from agent.inference import average, load
from agent.inference.average import Member
from agent.training.metrics import Counts, count
from common.cli import Parser
from data.dataset import Pair, load_dataset


def iou(members: Sequence[Member], pairs: Sequence[Pair], tta: bool) -> float:
    """IoU of the foreground, pooled over all pixels of the photographs."""
    counts = [count(average.binarize(average.logits_of(members, [p.image], tta)[0]), p.mask) for p in pairs]
    return sum(counts, Counts()).iou


def main(arguments: Sequence[str] | None = None) -> int:
    parser = Parser(prog="python -m bench.averaging", description="What averaging gains.")
    parser.add_argument("sweep", help="ENTITY/PROJECT/SWEEP, on the server that the environment names")
    parser.add_argument("--data", required=True, help="the folder whose test images are scored")
    options = parser.parse_args(arguments)
    pairs = load_dataset(options.data).test
    entity, project, _ = options.sweep.split("/")
    by_model: dict[str, list[Member]] = defaultdict(list)
    for run in wandb.Api().sweep(options.sweep).runs:
        if run.state == "finished" and not run.config.get("fold"):
            saved = load.find(f"{entity}/{project}/model-{run.id}:best")
            predictor = load.build(saved, torch.device("cpu"))
            by_model[str(run.config["model"])].append(Member(predictor, saved.config.image_size))
    print(f"{len(pairs)} test images\nmodel  runs  alone  symmetries  together  both")
    for model, members in sorted(by_model.items()):
        alone = [float(np.mean([iou([m], pairs, tta) for m in members])) for tta in (False, True)]
        together = [iou(members, pairs, tta) for tta in (False, True)]
        values = "  ".join(f"{value:.4f}" for value in (*alone, *together))
        print(f"{model}  {len(members)}  {values}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
