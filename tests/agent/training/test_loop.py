"""One epoch and one evaluation."""

import numpy as np
import pytest
import torch
from torch import nn

from agent.training.loop import bce, evaluate, split_batches, to_tensors
from data.dataset import Pair
from tests.agent.training.squares import squares, trained


def test_the_loss_is_the_binary_cross_entropy_of_the_softmax(device: torch.device) -> None:
    logits = torch.randn(2, 2, 5, 7, dtype=torch.float64, device=device)
    masks = torch.randint(0, 2, (2, 5, 7), device=device)
    foreground = logits.softmax(dim=1)[:, 1]
    expected = nn.functional.binary_cross_entropy(foreground, masks.double())
    torch.testing.assert_close(bce(logits, masks), expected)


def test_the_loss_is_finite_where_the_softmax_is_exactly_zero(device: torch.device) -> None:
    logits = torch.tensor([200.0, -200.0], device=device).view(1, 2, 1, 1)
    assert bce(logits, torch.ones(1, 1, 1, device=device)) == 400


@pytest.mark.parametrize("n", range(1, 13))
@pytest.mark.parametrize("batch_size", range(1, 7))
def test_every_image_comes_once_and_none_alone(n: int, batch_size: int) -> None:
    found = split_batches(n, batch_size, np.random.default_rng(0))
    assert sorted(np.concatenate(found).tolist()) == list(range(n))
    assert max(map(len, found)) <= batch_size + 1
    assert min(map(len, found)) >= min(2, n, batch_size)


def test_images_are_normalised_as_imagenet_is(device: torch.device) -> None:
    grey = np.full((4, 4, 3), 128, np.uint8)
    images, masks = to_tensors([grey], [np.ones((4, 4), np.uint8)], device)
    assert images.device.type == masks.device.type == device.type
    assert images.shape == (1, 3, 4, 4)
    assert masks.dtype == torch.int64
    assert images[0, 0, 0, 0].item() == pytest.approx((128 / 255 - 0.485) / 0.229)
    assert images[0, 2, 0, 0].item() == pytest.approx((128 / 255 - 0.406) / 0.225)


def test_training_learns_squares(device: torch.device) -> None:
    model, losses = trained(1, device=device)
    assert losses[-1] < losses[0] / 2
    assert evaluate(model, squares(4, seed=9), batch_size=2).pooled_counts.iou > 0.9


def test_equal_seeds_give_bit_identical_weights_and_other_seeds_others(device: torch.device) -> None:
    first, second, other = (trained(seed, 2, device) for seed in (1, 1, 2))
    assert first[1] == second[1] != other[1]
    for a, b in zip(first[0].state_dict().values(), second[0].state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_evaluation_changes_nothing_and_does_not_depend_on_the_batch_size(device: torch.device) -> None:
    """On a GPU another batch size may take another algorithm, and a product rounded to TF32 another side of a half."""
    exact = device.type == "cpu"
    model, _ = trained(1, 2, device)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ones, threes = (evaluate(model, squares(5), batch_size=size) for size in (1, 3))
    assert np.mean(np.stack(ones.predictions) != np.stack(threes.predictions)) <= (0 if exact else 0.002)
    assert ones.loss == pytest.approx(threes.loss, rel=1e-5 if exact else 1e-2)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Edge(nn.Module):
    """Logits of two columns, 2 on the left and -1 on the right."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        foreground = torch.tensor([2.0, -1.0]).expand(len(images), 2, 2)
        return torch.stack([torch.zeros_like(foreground), foreground], dim=1)


def test_scores_are_taken_at_the_size_of_the_truth() -> None:
    """The centres of the columns lie at 3 and 9 of 12 pixels, so that 0 lies at 7; truth ends at 6, and at 8."""
    image, truth = np.zeros((2, 2, 3), np.uint8), np.zeros((4, 12), np.uint8)
    truth[:, :6] = 1
    found = evaluate(Edge(), [Pair("a", image, truth[:2, :2], truth), Pair("b", image, truth[:2, :2])], 2)
    assert found.predictions[0].tolist() == [[1] * 7 + [0] * 5] * 4
    assert found.counts[0].iou == 24 / 28
    assert found.predictions[1].shape == (2, 2)
    assert found.counts[1].tp == 2
    steps = [2.0] * 3 + [2 - (x + 0.5 - 3) / 2 for x in range(3, 9)] + [-1.0] * 3
    errors = [np.log1p(np.exp(-z if x < 6 else z)) for x, z in enumerate(steps)]
    small = (np.log1p(np.exp(-2)) + np.log1p(np.exp(1))) / 2
    assert found.loss == pytest.approx((np.mean(errors) + small) / 2, rel=1e-6)


def test_a_truth_that_is_smaller_than_the_square_is_compared_with_means_of_logits() -> None:
    """One pixel for the whole square: the mean of 2 and -1 is above 0."""
    image, one = np.zeros((2, 2, 3), np.uint8), np.ones((1, 1), np.uint8)
    assert evaluate(Edge(), [Pair("a", image, np.ones((2, 2), np.uint8), one)], 1).predictions[0] == 1
