"""A site for the pages, written by the real client: run as a program, prints the names of the sweeps as JSON.

Project `lab`: a grid of models and seeds with curves, masks and test scores; a random search whose sweep goes on, with
one run that goes on as well; and runs with odd names.
"""

import json
import math
import os
import random
from typing import Any

import numpy as np
import wandb
from wandb.apis.public.sweeps import _agent_heartbeat, _register_agent

PROJECT = "lab"
METRIC = {"name": "val/iou", "goal": "maximize"}
MODELS = {"unet/resnet18/none": 0.86, "unet/mobilenet_v2/none": 0.9, "deeplabv3plus/resnet18/none": 0.93}
GRID = {
    "name": "three models, two seeds",
    "method": "grid",
    "metric": METRIC,
    "parameters": {"model": {"values": list(MODELS)}, "seed": {"values": [1, 2]}},
}
SEARCH = {
    "name": "learning rates",
    "method": "random",
    "metric": METRIC,
    "seed": 1,
    "run_cap": 40,
    "parameters": {
        "learning_rate": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-1},
        "batch_size": {"values": [2, 4, 8]},
        "augmentation": {"values": ["none", "light", "strong"]},
    },
}
LONG = "run with a name of two hundred characters " * 5
ODD = ("", "موديل التجزئة", "分割モデル 模型", LONG[:200], "<script>alert(1)</script>", "a/b?c=d&e#f")
EPOCHS = 12
N_SEARCH = 13


def mask(shift: int) -> "np.ndarray[Any, Any]":
    rows, columns = np.mgrid[:48, :64]
    return np.asarray((rows - 24) ** 2 + (columns - 30 - shift) ** 2 < 15**2, np.uint8)


def pictures(shift: int) -> list[wandb.Image]:
    names = {0: "background", 1: "piece"}
    shown = []
    for number in range(2):
        picture = np.full((48, 64, 3), 90 + 60 * number, np.uint8)
        truth, prediction = mask(number), mask(number + shift * (1 + number))
        picture[truth == 1] = (120, 150, 110)
        iou = (truth & prediction).sum() / (truth | prediction).sum()
        layers = {
            name: {"mask_data": data, "class_labels": names}
            for name, data in (("truth", truth), ("prediction", prediction))
        }
        shown.append(wandb.Image(picture, masks=layers, caption=f"image-{number}: IoU {iou:.3f}"))
    return shown


def curves(run: wandb.Run, best: float, noise: random.Random, epochs: int = EPOCHS) -> None:
    for epoch in range(1, epochs + 1):
        reached = best * (1 - math.exp(-epoch / 3)) - 0.004 * max(0, epoch - 9) + noise.gauss(0, 0.004)
        run.log(
            {
                "epoch": epoch,
                "train/loss": 1.1 - reached + 0.05 / epoch,
                "val/loss": 1.2 - reached,
                "train/iou": min(reached + 0.02, 1.0),
                "val/iou": reached,
            }
        )


class Agent:
    """Takes the runs of a sweep one after the other, as `wandb agent` does."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.sweep = wandb.sweep(config, project=PROJECT)
        self._api = wandb.Api()
        self._id = _register_agent(self._api, "bench-1", sweep_id=self.sweep, project=PROJECT, entity="local")["id"]

    def next(self) -> wandb.Run:
        [command] = _agent_heartbeat(self._api, self._id, {}, {})
        os.environ["WANDB_SWEEP_ID"] = self.sweep
        config = {key: item["value"] for key, item in command["args"].items()}
        run = wandb.init(project=PROJECT, id=command["run_id"], config=config)
        del os.environ["WANDB_SWEEP_ID"]
        return run


def fill_grid(noise: random.Random) -> str:
    agent = Agent(GRID)
    for _ in range(6):
        run = agent.next()
        run.config.update(dict(zip(("architecture", "backbone", "weights"), run.config.model.split("/"), strict=True)))
        curves(run, MODELS[run.config.model] + 0.005 * run.config.seed, noise)
        shown = pictures(shift=2 + run.config.seed)
        run.log({"test/predictions": shown})
        rows: list[Any] = [
            [f"image-{at}", picture, MODELS[run.config.model] - 0.1 * at] for at, picture in enumerate(shown)
        ]
        run.log({"test/rows": wandb.Table(columns=["image", "picture", "iou"], data=rows)})
        run.summary["test/iou"] = MODELS[run.config.model] - 0.01 * run.config.seed
        run.summary["test/rule"] = "best_iou" if run.config.architecture == "deeplabv3plus" else "best_loss"
        run.finish()
    return agent.sweep


def fill_search(noise: random.Random) -> str:
    agent = Agent(SEARCH)
    for number in range(N_SEARCH):
        run = agent.next()
        best = 0.95 - 0.05 * abs(math.log10(run.config.learning_rate) + 3) + noise.gauss(0, 0.005)
        curves(run, best, noise, EPOCHS if number else 4)
        run.summary["test/iou"] = best - 0.02
        run.finish(exit_code=int(number == 0))
    live = agent.next()
    curves(live, 0.9, noise, 5)
    while not list(wandb.Api().run(live.path).scan_history()):
        pass
    return agent.sweep


def fill_odd() -> None:
    for number, name in enumerate(ODD):
        with wandb.init(project=PROJECT, id=f"odd-{number}", config={name or "empty": name}, notes=name) as run:
            run.name = name
            for step in range(3):
                run.log({name or "empty": step, "val/iou": 0.1 * step})


def main() -> None:
    noise = random.Random(1)
    fill_odd()
    found = {"grid": fill_grid(noise), "search": fill_search(noise)}
    print(json.dumps(found), flush=True)
    os._exit(0)  # the last run goes on


if __name__ == "__main__":
    main()
