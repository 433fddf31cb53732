"""The BatchNorm check: what it finds, what it repairs, and that it leaves everything else as it was."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

from agent import reporting
from agent.lifecycle.checkpoints import Checkpoint
from agent.training import batchnorm, models
from agent.training.batchnorm import (
    MAX_GAP,
    Validation,
    batchnorm_layers,
    even_batches,
    recompute,
    recompute_statistics,
    should_recompute,
    validate,
    with_statistics,
)
from agent.training.loader import CPU, make_loader
from agent.training.loop import Evaluation, evaluate, train_epoch
from agent.training.models.unet import UNet
from data.augment import Augmenter
from tests.agent.training.squares import squares

TRAIN, VAL = squares(6), squares(4, seed=9)


def slow_unet(momentum: float, device: torch.device = CPU) -> UNet:
    """A small U-Net whose BatchNorm follows the batches with this momentum."""
    torch.manual_seed(1)
    model = UNet("transposed", width=4).to(device)
    for layer in batchnorm_layers(model).values():
        layer.momentum = momentum
    return model


def fit(model: nn.Module, epochs: int, examine: bool = False) -> list[float]:
    """Losses of so many epochs on TRAIN."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    augment, device = Augmenter("light", 32, 1), next(model.parameters()).device
    losses = []
    for epoch in range(1, epochs + 1):
        batches = make_loader(TRAIN, augment, 2, 1, range(epoch, epoch + 1), device)
        losses.append(train_epoch(model, optimizer, batches)[0])
        if examine:
            look(model)
    return losses


def look(model: nn.Module, past: Sequence[float | None] = (), keep: bool = True) -> Validation:
    return validate(model, TRAIN, VAL, 2, [0.0] * len(past), past, lambda running: keep)


@pytest.fixture(scope="module")
def trapped(device: torch.device) -> UNet:
    """Trained well, but its running statistics have hardly moved."""
    model = slow_unet(0.001, device)
    fit(model, 30)
    return model


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_statistics_are_the_mean_over_batches_of_their_means_and_unbiased_variances(device: torch.device) -> None:
    images = [torch.randn(2, 3, 5, 4) * scale + scale for scale in (1, 3)]
    model = nn.Sequential(nn.BatchNorm2d(3)).to(device)
    found = {name: value.cpu() for name, value in recompute(model, [i.to(device) for i in images]).items()}
    per_channel = [image.double().numpy().transpose(1, 0, 2, 3).reshape(3, -1) for image in images]
    mean = np.mean([values.mean(axis=1) for values in per_channel], axis=0)
    variance = np.mean([values.var(axis=1, ddof=1) for values in per_channel], axis=0)
    np.testing.assert_allclose(found["0.running_mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(found["0.running_var"], variance, rtol=1e-5)
    assert found["0.num_batches_tracked"] == 2


class Regularised(nn.Module):
    """Draws random numbers when it trains."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(), nn.BatchNorm2d(4))

    def forward(self, images: Tensor) -> Tensor:
        drawn: Tensor = self.layers(images)
        return drawn


def random_state(device: torch.device) -> Tensor:
    return torch.get_rng_state() if device.type == "cpu" else torch.cuda.get_rng_state()


@pytest.mark.parametrize("training", [True, False])
def test_recomputing_leaves_no_trace_in_the_model_or_in_the_random_numbers(
    training: bool, device: torch.device
) -> None:
    model = Regularised().to(device).train(training)
    model(torch.randn(2, 3, 4, 4, device=device))
    before, random_before = state(model), random_state(device)
    found = recompute(model, [torch.full((2, 3, 4, 4), 7.0, device=device)])
    assert equal(state(model), before)
    assert torch.equal(random_state(device), random_before)
    assert all(module.training == training for module in model.modules())
    assert [layer.momentum for layer in batchnorm_layers(model).values()] == [0.1, 0.1]
    assert not torch.equal(found["layers.1.running_mean"], before["layers.1.running_mean"])


def test_recomputing_that_breaks_off_leaves_no_trace_either() -> None:
    def broken() -> Iterator[Tensor]:
        yield torch.ones(2, 3, 4, 4)
        raise KeyboardInterrupt

    model = Regularised()
    before = state(model)
    with pytest.raises(KeyboardInterrupt):
        recompute(model, broken())
    assert equal(state(model), before)
    assert model.training
    assert all(layer.momentum == 0.1 for layer in batchnorm_layers(model).values())


class AlwaysFrozen(nn.Sequential):
    """Its BatchNorm stays in evaluation mode, as in detection backbones."""

    def train(self, mode: bool = True) -> "AlwaysFrozen":
        super().train(False)
        return self


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.GroupNorm(1, 2)),
        nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), FrozenBatchNorm2d(2)),
        nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.BatchNorm2d(2, track_running_stats=False)),
        nn.Sequential(AlwaysFrozen(nn.Conv2d(3, 2, 3, padding=1), nn.BatchNorm2d(2))),
    ],
    ids=["none", "torchvision's frozen", "without running statistics", "frozen by its train()"],
)
def test_a_model_whose_batchnorm_is_absent_or_frozen_is_scored_once_and_passes_untouched(model: nn.Module) -> None:
    before, calls = state(model), []
    model.register_forward_hook(lambda *_: calls.append(1))
    judgement = look(model)
    assert (judgement.gap, judgement.is_repaired, judgement.statistics) == (None, False, {})
    assert len(calls) == 2
    assert equal(state(model), before)


@pytest.mark.slow
def test_a_model_that_lags_behind_its_batches_is_repaired_and_keeps_its_own_statistics(trapped: UNet) -> None:
    before = state(trapped)
    running = evaluate(trapped, VAL, 2).pooled_counts.iou
    judgement = look(trapped)
    repaired = judgement.evaluation.pooled_counts.iou
    assert judgement.is_repaired
    assert running < 0.3
    assert repaired > 0.9
    assert judgement.gap == pytest.approx(repaired - running)
    assert equal(state(trapped), before)
    with with_statistics(trapped, judgement.statistics):
        saved = state(trapped)
    changed = {name for name, value in saved.items() if not torch.equal(value, before[name])}
    assert changed == set(judgement.statistics)
    fresh = slow_unet(0.1, next(trapped.parameters()).device)
    fresh.load_state_dict(saved)
    assert evaluate(fresh, VAL, 2).counts == judgement.evaluation.counts


def test_a_healthy_model_is_scored_both_ways_and_stays_as_it_is() -> None:
    model = slow_unet(0.5)
    fit(model, 12)
    judgement = look(model)
    assert judgement.gap is not None
    assert abs(judgement.gap) <= MAX_GAP
    assert not judgement.is_repaired
    assert judgement.evaluation.counts == evaluate(model, VAL, 2).counts


def test_training_does_not_notice_the_check(device: torch.device) -> None:
    plain, examined = slow_unet(0.01, device), slow_unet(0.01, device)
    assert fit(plain, 3) == fit(examined, 3, examine=True)
    assert equal(state(plain), state(examined))


@pytest.mark.parametrize(
    ("past", "candidate", "expected"),
    [
        ([], False, True),
        ([0.0], False, False),
        ([0.0], True, True),
        ([0.5], False, True),
        ([0.02], False, False),
        ([0.5, 0.0], False, False),
        ([0.0, None, None, None], False, False),
        ([0.0, None, None, None, None], False, True),
        ([-0.5], False, False),
    ],
)
def test_when_an_epoch_is_examined(past: list[float | None], candidate: bool, expected: bool) -> None:
    assert should_recompute(past, candidate, 0.02) == expected


@pytest.mark.parametrize("keep", [False, True])
def test_the_check_asks_whether_the_running_score_would_make_a_checkpoint(trapped: UNet, keep: bool) -> None:
    asked: list[Evaluation] = []

    def would_keep(running: Evaluation) -> bool:
        asked.append(running)
        return keep

    judgement = validate(trapped, TRAIN, VAL, 2, [0.0], [0.0], would_keep)
    assert (judgement.gap is not None) == keep
    assert [score.counts for score in asked] == [evaluate(trapped, VAL, 2).counts]


@pytest.mark.parametrize(("best", "examined"), [(0.0, False), (0.9, True)])
def test_an_epoch_is_examined_whose_score_fell_far_below_the_best(trapped: UNet, best: float, examined: bool) -> None:
    judgement = validate(trapped, TRAIN, VAL, 2, [best, 0.0], [0.0, None], lambda running: False)
    assert judgement.is_repaired == examined


@pytest.fixture
def three_deep(device: torch.device) -> nn.Module:
    """Each BatchNorm after the first sees what those before it made of the images."""
    torch.manual_seed(1)
    parts = [[nn.Conv2d(c, 4, 3, stride=2), nn.BatchNorm2d(4), nn.SiLU()] for c in (3, 4, 4)]
    return nn.Sequential(*(module for part in parts for module in part)).to(device)


def test_statistics_are_those_that_the_model_has_in_evaluation_mode_at_every_depth(three_deep: nn.Module) -> None:
    inputs: dict[str, np.ndarray] = {}
    for name, layer in batchnorm_layers(three_deep).items():
        layer.register_forward_hook(
            lambda module, given, _, name=name: inputs.__setitem__(name, given[0].double().cpu().numpy())
        )
    found = recompute_statistics(three_deep, TRAIN)
    inputs.clear()
    with with_statistics(three_deep, found), torch.no_grad():
        three_deep.eval()(next(even_batches(three_deep, TRAIN, len(TRAIN))))
    assert len(inputs) == 3
    for name, values in inputs.items():
        channels = values.transpose(1, 0, 2, 3).reshape(4, -1)
        np.testing.assert_allclose(found[f"{name}.running_mean"].cpu(), channels.mean(axis=1), rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(found[f"{name}.running_var"].cpu(), channels.var(axis=1, ddof=1), rtol=0.02)


def test_equal_weights_and_images_give_equal_statistics_bit_by_bit(three_deep: nn.Module) -> None:
    assert equal(recompute_statistics(three_deep, TRAIN), recompute_statistics(three_deep, TRAIN))


def sizes_seen(model: nn.Module) -> list[int]:
    """Filled with the number of images of every forward pass from now on."""
    seen: list[int] = []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    return seen


@pytest.mark.parametrize(
    ("n", "sizes"), [(10, [10]), (16, [16]), (17, [9, 8]), (40, [14, 13, 13]), (200, [13] * 2 + [12] * 2)]
)
def test_the_images_pass_at_once_and_many_in_even_batches(n: int, sizes: list[int]) -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
    seen = sizes_seen(model)
    recompute_statistics(model, squares(n, side=16))
    assert seen == sizes


@pytest.mark.parametrize(("at_once", "sizes"), [((), [6]), ((2,), [2, 2, 2])])
def test_the_check_passes_all_training_images_at_once_unless_told_otherwise(
    at_once: tuple[int, ...], sizes: list[int]
) -> None:
    model = slow_unet(0.1)
    seen = sizes_seen(model)
    validate(model, TRAIN, VAL, 2, (), (), lambda running: True, *at_once)
    assert seen == [2, 2, *sizes, 2, 2]


class Cramped(nn.Module):
    """Has memory for so many images at once."""

    def __init__(self, holds: int, error: str) -> None:
        super().__init__()
        self.holds, self.error = holds, error
        self.norm = nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> Tensor:
        normalised: Tensor = self.norm(images)
        if len(images) > self.holds:
            raise RuntimeError(self.error)
        return normalised


def test_fewer_images_pass_at_once_where_memory_does_not_hold_all() -> None:
    model = Cramped(3, "CUDA out of memory. Tried to allocate 2.00 GiB")
    before, seen = state(model), sizes_seen(model)
    found = recompute_statistics(model, squares(10, side=16))
    assert seen == [10, 5, 2, 2, 2, 2, 2]
    assert found["norm.num_batches_tracked"] == 5
    assert equal(state(model), before)


@pytest.mark.parametrize(("holds", "error"), [(1, "out of memory"), (3, "shapes do not match")])
def test_what_fewer_images_do_not_mend_is_raised(holds: int, error: str) -> None:
    with pytest.raises(RuntimeError, match=error):
        recompute_statistics(Cramped(holds, error), squares(10, side=16))


@pytest.mark.parametrize(("n", "taken"), [(3, 3), (64, 64), (70, 35)])
def test_the_line_on_a_repair_says_how_many_images_were_taken(n: int, taken: int) -> None:
    kept = Checkpoint(Path("epoch-0001.pt"), 1, 0.5, 0.75, 0.25, bn_repaired=True)
    line = reporting.repair_line("best_iou", kept, len(batchnorm.sample(squares(n))))
    assert line
    assert line.endswith(
        f"has validation IoU 0.5000; it is saved and tested with statistics recomputed on {taken} "
        "training images, 0.7500"
    )


def test_every_image_counts_and_none_alone_when_statistics_are_recomputed() -> None:
    model = models.build("deeplabv3plus", "resnet18")
    seen = sizes_seen(model)
    recompute(model, even_batches(model, squares(5, side=64), 2))
    assert seen == [3, 2]
