"""Are the least certain masks the worst ones? `python -m bench.certainty ENTITY/PROJECT/SWEEP`.

New photographs are drawn, of which no run has seen any. For each model of a sweep, its first run alone, and for all of
these together: mean expected IoU and mean IoU; their rank correlation (Spearman); and the mean IoU of the least certain
tenth, which `agent.predict` names first, beside that of the worst tenth.
"""

import sys
from collections.abc import Sequence

import numpy as np
import torch
import wandb
from scipy.stats import spearmanr

from agent.inference import load
from agent.inference.average import Member, binarize, expected_iou, logits_of
from agent.training.metrics import count
from common.cli import Parser, whole_number
from data import synthetic
from data.dataset import Pair

FIRST = 10_000
"""Seed of the first drawing, far from those that studies draw."""
SIZE = (768, 1024)


def scores(members: Sequence[Member], pairs: Sequence[Pair]) -> tuple[list[float], list[float]]:
    """Expected and true IoU of every photograph."""
    expected, true = [], []
    for pair in pairs:
        (logits,) = logits_of(members, [pair.image])
        mask = binarize(logits)
        expected.append(expected_iou(logits, mask))
        true.append(count(mask, pair.mask).iou)
    return expected, true


def row(name: str, expected: Sequence[float], true: Sequence[float]) -> str:
    tenth = max(1, len(true) // 10)
    iou = np.asarray(true)
    unsure = iou[np.argsort(expected)[:tenth]].mean()
    worst = np.sort(iou)[:tenth].mean()
    rank = spearmanr(expected, true).statistic
    return f"| {name} | {np.mean(expected):.3f} | {iou.mean():.3f} | {rank:.2f} | {unsure:.3f} | {worst:.3f} |"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = Parser(prog="python -m bench.certainty", description="Whether the least certain masks are the worst.")
    parser.add_argument("sweep", help="ENTITY/PROJECT/SWEEP, on the server that the environment names")
    parser.add_argument("--photographs", type=whole_number(10), default=100, metavar="N", help="drawn (default: 100)")
    options = parser.parse_args(arguments)
    entity, project, _ = options.sweep.split("/")
    drawn = [synthetic.draw(np.random.default_rng(FIRST + i), *SIZE) for i in range(options.photographs)]
    pairs = [Pair(f"drawn-{i}", image, mask) for i, (image, mask) in enumerate(drawn)]
    members: dict[str, Member] = {}
    for run in wandb.Api().sweep(options.sweep).runs:
        name = str(run.config.get("model"))
        if run.state == "finished" and name not in members:
            saved = load.find(f"{entity}/{project}/model-{run.id}:best")
            members[name] = Member(load.build(saved, torch.device("cpu")), saved.config.image_size)
    print(f"{len(pairs)} photographs\n\n| model | expected IoU | IoU | rank | of the least sure tenth | worst tenth |")
    print(f"|{'---|' * 6}")
    for name, chosen in [*((name, [member]) for name, member in sorted(members.items())), ("all", [*members.values()])]:
        print(row(name, *scores(chosen, pairs)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
