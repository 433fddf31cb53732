"""Models that a sweep can meet and that cannot be built: W&B varies every key with every other."""

import difflib
import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.config import MODEL_FIELDS, Config, ConfigError, from_settings
from agent.lint import model_facts
from agent.lint.finding import Finding, Rule
from agent.lint.parameters.values import TOGETHER, Parameter
from data import layout

Settings = Mapping[str, Any]
Lines = Mapping[str, int]
MAX_COMBINATIONS = 5_000
DATA_FIELDS = ("image_size", "data", "split_seed", "fold")
"""Settings beside those of the model that are combined if the sweep lists their values."""
BLAME = ("model", "backbone", "architecture", "weights")
"""Keys to name the line of, first choice first."""

WHY_REFUSED = "{k} of the {n} combinations of the sweep would end at once"
CONTRADICTION = Rule("B001", "error", "{why_the_settings_do_not_go_together}", WHY_REFUSED, "{fix}")
CANNOT_BE_BUILT = Rule(
    "B002", "error", "{architecture} cannot be built on {backbone} ({problem})", WHY_REFUSED, "{fix}"
)
NEEDS_TWO_IMAGES = Rule(
    "B003",
    "error",
    "{who} needs at least 2 training images, but {data} has 1",
    WHY_REFUSED,
    "add photographs with their masks, or take it out",
)
NO_WEIGHTS = Rule("B004", "error", "there are no ImageNet weights of {backbone}", WHY_REFUSED, "{fix}")
FROM_THE_HUB = Rule(
    "B005",
    "warning",
    "ImageNet weights of {backbones} come from the model hub",
    "no installed package ships them; the first run needs a network, and without one it is refused",
    "train once with a network, or use tu-tf_efficientnet_lite0, or weights none",
)
SINGLE_IMAGES = Rule(
    "B006",
    "warning",
    "batch_size is 1",
    "BatchNorm then takes its statistics from a single photograph",
    "write 2 or more",
)
FIXES = {
    "model": "take it out",
    "batch_size": "write 2 or more",
    "folds": "write 2 or more, and list the folds: `fold: {values: [1, 2, 3]}` for 3",
    "fold": "list 1 to the number of folds",
}
CROSSED = "give each model once, with the key `model`"
ALL_FAIL = "choose others; `python -m agent.train --help` lists them"


@dataclass(frozen=True)
class Combination:
    """One combination of the settings that decide about the model, and the line of each value."""

    settings: Settings
    lines: Lines


@dataclass(frozen=True)
class Reason:
    """Reason of a combination's failure: a rule, and the values of its message."""

    rule: Rule
    values: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return self.rule.message.format(**dict(self.values))


@dataclass(frozen=True)
class Refused:
    """Combinations that fail for one reason."""

    reason: Reason
    cells: tuple[Combination, ...]


def combine(parameters: Sequence[Parameter]) -> list[Combination]:
    """Every combination of the values that a sweep lists, the first `MAX_COMBINATIONS` of them."""
    varied = [each for each in parameters if each.name in TOGETHER or (each.name in DATA_FIELDS and each.finite)]
    pairs = [list(zip(each.values, each.lines, strict=True)) for each in varied]
    names = [each.name for each in varied]
    return [
        Combination(
            {name: value for name, (value, _) in zip(names, chosen, strict=True)},
            {name: line for name, (_, line) in zip(names, chosen, strict=True)},
        )
        for chosen in itertools.islice(itertools.product(*pairs), MAX_COMBINATIONS)
    ]


def check(cells: Sequence[Combination]) -> tuple[list[Finding], list[str]]:
    """Findings about the combinations; if some fail, also the models that do not, as values of `model`."""
    valid, refused = partition(cells)
    findings = [_finding(each, valid, len(cells)) for each in refused]
    findings += _weights(valid)
    findings += _single_images(valid)
    crossed = any("model" not in cell.settings for cell in cells)
    good = list(dict.fromkeys(config.model for _, config in valid))
    return findings, good if crossed and refused else []


def partition(cells: Sequence[Combination]) -> tuple[list[tuple[Combination, Config]], list[Refused]]:
    """The combinations that can be trained, each with its Config, and the others by reason."""
    valid: list[tuple[Combination, Config]] = []
    by_reason: dict[Reason, list[Combination]] = {}
    for cell in cells:
        try:
            config = from_settings(cell.settings)
        except ConfigError as problem:
            if str(problem).startswith(tuple(f"{name} is " for name in DATA_FIELDS)):
                continue  # said of the value alone already
            text = re.sub(r" \(they are [^)]*\)", "", str(problem))
            by_reason.setdefault(_reason(CONTRADICTION, why_the_settings_do_not_go_together=text), []).append(cell)
            continue
        if reason := _find_reason(config):
            by_reason.setdefault(reason, []).append(cell)
        else:
            valid.append((cell, config))
    return valid, [Refused(reason, tuple(group)) for reason, group in by_reason.items()]


def _find_reason(config: Config) -> Reason | None:
    facts = model_facts.facts(config)
    if facts.reason:
        return _reason(
            CANNOT_BE_BUILT, architecture=config.architecture, backbone=config.backbone, problem=facts.reason
        )
    if (who := config.needs_two()) and n_train(config) == 1:
        return _reason(NEEDS_TWO_IMAGES, who=who, data=config.data)
    if config.weights == "imagenet" and not facts.imagenet:
        return _reason(NO_WEIGHTS, backbone=config.backbone)
    return None


def _reason(rule: Rule, **values: str) -> Reason:
    return Reason(rule, tuple(values.items()))


def n_train(config: Config) -> int | None:
    """Number of training images of a folder, by names alone; None if it cannot be listed here."""
    return _n_train(config.data, config.split_seed, config.fold, config.folds)


@functools.cache
def _n_train(data: str, split_seed: int, fold: int, folds: int) -> int | None:
    try:
        items = layout.find(Path(data), split_seed, fold, folds).items
    except OSError:
        return None
    return sum(item.split == "train" for item in items)


def _finding(refused: Refused, valid: Sequence[tuple[Combination, Config]], n: int) -> Finding:
    name = _culprit(refused, [cell for cell, _ in valid])
    values = {"k": len(refused.cells), "n": n, "fix": _fix(refused.reason, name, bool(valid))}
    return refused.reason.rule.at(refused.cells[0].lines.get(name, 1), **dict(refused.reason.values), **values)


def _fix(reason: Reason, name: str, others_pass: bool) -> str:
    if near := _suggest_backbone(reason):
        return near
    return FIXES.get(name, CROSSED) if others_pass or name in ("batch_size", "folds", "fold") else ALL_FAIL


def _suggest_backbone(reason: Reason) -> str:
    """The remedy for a backbone that does not exist, if there is one of nearly this name."""
    values = dict(reason.values)
    if values.get("problem") != "no such backbone":
        return ""
    from agent.training.models import smp  # torch takes seconds to import

    names = {_bare(name): name for name in reversed(smp.working_backbones(values["architecture"]))}
    near = difflib.get_close_matches(_bare(values["backbone"]), names, n=1)
    return f"write {names[near[0]]}" if near else ""


def _bare(backbone: str) -> str:
    """The name without its origin and without the parts that people write differently."""
    return re.sub(r"^(tu-|timm-)?(tf_)?|[-_]", "", backbone.lower())


def _culprit(refused: Refused, valid: Sequence[Combination]) -> str:
    """The key to blame: its value is the same in every failure, and is never in a valid cell or is in the reason."""
    first = refused.cells[0].settings
    if "batch_size" in first and "batch_size" in str(refused.reason):
        return "batch_size"
    if "folds" in first and "folds" in str(refused.reason):
        return "fold" if "fold" in first and "fold must" in str(refused.reason) else "folds"
    same = [name for name in BLAME if name in first and len({cell.settings[name] for cell in refused.cells}) == 1]
    hopeless = [name for name in same if all(cell.settings.get(name) != first[name] for cell in valid)]
    named = [name for name in same if str(first[name]) in str(refused.reason)]
    return next(iter([*hopeless, *named, *same, *first]), "parameters")


def _weights(valid: Sequence[tuple[Combination, Config]]) -> Iterator[Finding]:
    """ImageNet weights that no package ships."""
    backbones = {
        config.backbone: cell.lines.get("model", cell.lines.get("weights", 1))
        for cell, config in reversed(valid)
        if config.weights == "imagenet" and model_facts.facts(config).imagenet == "hub"
    }
    if backbones:
        yield FROM_THE_HUB.at(min(backbones.values()), backbones=", ".join(reversed(backbones)))


def _single_images(valid: Sequence[tuple[Combination, Config]]) -> Iterator[Finding]:
    for cell, config in valid:
        if config.batch_size == 1 and "batch_size" in cell.lines:
            yield SINGLE_IMAGES.at(cell.lines["batch_size"])
            return


def suggest_models(good: Sequence[str]) -> str:
    """YAML with one key that takes only models that can be built, instead of three that are crossed."""
    values = "\n".join(f"      - {model}" for model in good)
    names = ", ".join(MODEL_FIELDS)
    return f"  only models that can be built, in place of {names}:\n  model:\n    values:\n{values}"
