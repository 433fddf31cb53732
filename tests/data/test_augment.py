"""Augmentation: one stream per (seed, epoch, index), the mask moves with the image, unknown arguments are errors."""

import multiprocessing
import random
import warnings
from pathlib import Path

import albumentations as A
import numpy as np
import pytest
from PIL import Image

from common.keys import STRENGTHS
from data import augment
from data.augment import Augmenter, pipeline
from tests.data.folders import handout, noise, square

SIDE = 64
IMAGE, MASK = noise("piece", (SIDE, SIDE)), square((SIDE, SIDE), foreground=1)
RANDOM = ("light", "medium", "strong")
Stream = dict[tuple[int, int], tuple[bytes, bytes]]


def stream(strength: str, calls: list[tuple[int, int]], seed: int = 0) -> Stream:
    augmenter = Augmenter(strength, SIDE, seed)
    results: Stream = {}
    for epoch, index in calls:
        image, mask = augmenter(IMAGE, MASK, epoch, index)
        results[epoch, index] = (image.tobytes(), mask.tobytes())
    return results


ALL_CALLS = [(epoch, index) for epoch in (1, 2) for index in range(6)]


@pytest.mark.parametrize("strength", STRENGTHS)
def test_shapes_and_types_stay_and_masks_keep_to_zero_and_one(strength: str) -> None:
    augmenter = Augmenter(strength, SIDE, seed=0)
    for index in range(30):
        image, mask = augmenter(IMAGE, MASK, visit=1, index=index)
        assert image.shape == (SIDE, SIDE, 3)
        assert mask.shape == (SIDE, SIDE)
        assert image.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 1}
        assert mask.sum() > 0
        assert image.flags.c_contiguous
        assert mask.flags.c_contiguous


def test_none_changes_nothing() -> None:
    image, mask = Augmenter("none", SIDE, seed=0)(IMAGE, MASK, visit=1, index=0)
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(mask, MASK)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_the_given_arrays_are_left_alone(strength: str) -> None:
    image, mask = IMAGE.copy(), MASK.copy()
    for index in range(20):
        Augmenter(strength, SIDE, seed=0)(image, mask, visit=1, index=index)
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(mask, MASK)


@pytest.mark.parametrize("strength", RANDOM)
def test_order_of_calls_and_resuming_change_nothing(strength: str) -> None:
    straight = stream(strength, ALL_CALLS)
    assert stream(strength, ALL_CALLS[::-1]) == straight
    resumed = stream(strength, ALL_CALLS[6:])
    assert resumed == {call: straight[call] for call in ALL_CALLS[6:]}


@pytest.mark.parametrize("strength", RANDOM)
def test_the_state_of_the_global_generators_changes_nothing(strength: str) -> None:
    random.seed(1)
    np.random.seed(1)
    first = stream(strength, ALL_CALLS)
    random.seed(2)
    np.random.seed(2)
    assert stream(strength, ALL_CALLS) == first


def part_of_stream(calls: list[tuple[int, int]]) -> Stream:
    return stream("strong", calls)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_workers_changes_nothing(workers: int) -> None:
    shares = [ALL_CALLS[worker::workers] for worker in range(workers)]
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        parts = pool.map(part_of_stream, shares)
    assert {call: result for part in parts for call, result in part.items()} == stream("strong", ALL_CALLS)


@pytest.mark.parametrize("strength", RANDOM)
def test_seed_epoch_and_index_each_give_another_draw(strength: str) -> None:
    draws = [
        stream(strength, [(epoch, index)], seed)[epoch, index]
        for seed in range(3)
        for epoch in range(3)
        for index in range(3)
    ]
    distinct = len(set(draws))
    assert distinct > 1 if strength == "light" else distinct >= 26


def test_transforms_draw_from_one_state_and_not_from_copies_of_it() -> None:
    """With one seed each, as albumentations does it, contrast and hue would rise and fall together."""
    composed = pipeline("medium", SIDE, seed=0)
    assert len(composed.transforms) == 4
    assert len({id(transform.py_random) for transform in composed.transforms}) == 1
    assert len({id(transform.random_generator) for transform in composed.transforms}) == 1


@pytest.mark.parametrize("strength", RANDOM)
def test_the_mask_follows_the_image(strength: str) -> None:
    """A white square on black is its own mask: wherever it goes, image and mask must still agree."""
    side = 128
    mask = square((side, side), foreground=1)
    image = np.repeat(mask[:, :, None] * 255, 3, axis=2)
    augmenter = Augmenter(strength, side, seed=0)
    for index in range(100):
        moved, moved_mask = augmenter(image, mask, visit=1, index=index)
        grey = moved.astype(float).mean(axis=2)
        seen = grey > (grey.min() + grey.max()) / 2
        union = (seen | (moved_mask == 1)).sum()
        assert (seen & (moved_mask == 1)).sum() / union > 0.93


def test_each_strength_varies_the_mean_grey_level_more_than_the_one_before() -> None:
    smooth = np.repeat(np.linspace(60, 180, SIDE, dtype=np.uint8)[None, :, None], SIDE, axis=0).repeat(3, axis=2)
    colour = []
    for strength in STRENGTHS:
        augmenter = Augmenter(strength, SIDE, seed=0)
        means = [augmenter(smooth, MASK, 1, index)[0].mean() for index in range(100)]
        colour.append(float(np.std(means)))
    assert colour[0] == 0
    assert colour[1] < colour[2] < colour[3]


def test_an_unknown_strength_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"^augmentation is 'heavy': use one of none, light, medium, strong\.$"):
        pipeline("heavy", SIDE, seed=0)


def test_an_argument_that_albumentations_ignores_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(augment.RECIPES, "light", lambda _: [A.HorizontalFlip(probability=1)])
    with warnings.catch_warnings(action="ignore"), pytest.raises(ValueError, match="'light' cannot be built"):
        pipeline("light", SIDE, seed=0)


@pytest.mark.parametrize("image_size", [16, 32, 96, 128, 160, 256, 512])
@pytest.mark.parametrize("strength", STRENGTHS)
def test_every_strength_works_at_every_size(strength: str, image_size: int) -> None:
    augmenter = Augmenter(strength, image_size, seed=0)
    image, mask = noise("large", (image_size, image_size)), square((image_size, image_size), foreground=1)
    for index in range(8):
        assert augmenter(image, mask, 1, index)[0].shape == image.shape


def test_the_command_draws_a_row_per_strength(tmp_path: Path) -> None:
    out = tmp_path / "augment.png"
    folder = handout(tmp_path / "handout")
    assert augment.main([str(out), "--data", str(folder), "--image_size", "40"]) == 0
    with Image.open(out) as picture:
        assert picture.size == (90 + 7 * 44, 4 * 44 - 4)


def test_the_command_says_in_one_sentence_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert augment.main([str(tmp_path / "a.png"), "--data", str(tmp_path / "no")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
