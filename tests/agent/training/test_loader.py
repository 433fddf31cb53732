"""The way of the images into training."""

from pathlib import Path

import numpy as np
import pytest
import torch

from agent.lifecycle.interruption import Interrupted, Interruption
from agent.training.loader import CPU, BatchOrder, free_shared_memory, limit_workers, make_loader, n_workers
from agent.training.loop import memory_format, to_device
from data.augment import Augmenter
from tests.agent.training.squares import squares

PAIRS = squares(5)


def drawn(epochs: range, workers: int = 0, seed: int = 1) -> list[torch.Tensor]:
    """Images and masks of all batches, one after the other."""
    found = make_loader(PAIRS, Augmenter("strong", 32, seed), 2, seed, epochs, workers=workers)
    return [tensor for batch in found for tensor in batch]


def equal(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_every_epoch_has_every_image_once_and_epochs_differ() -> None:
    order = list(BatchOrder(5, 2, seed=1, visits=range(1, 3)))
    assert sorted(order[0] + order[1]) == [(1, i) for i in range(5)]
    assert sorted(order[2] + order[3]) == [(2, i) for i in range(5)]
    assert [i for _, i in order[0] + order[1]] != [i for _, i in order[2] + order[3]]


def test_batches_are_images_and_masks_of_bytes() -> None:
    images, masks = drawn(range(1, 2))[:2]
    assert (images.shape, images.dtype) == ((3, 32, 32, 3), torch.uint8)
    assert (masks.shape, masks.dtype) == ((3, 32, 32), torch.uint8)
    assert set(np.unique(masks)) <= {0, 1}


def test_a_run_that_goes_on_sees_what_the_uninterrupted_one_saw() -> None:
    assert equal(drawn(range(3, 5)), drawn(range(1, 5))[8:])
    assert not equal(drawn(range(1, 3)), drawn(range(3, 5)))


def test_workers_change_nothing_but_the_time() -> None:
    assert equal(drawn(range(1, 4), workers=2), drawn(range(1, 4)))


def test_feeding_draws_no_number_from_the_global_generator() -> None:
    before = torch.get_rng_state()
    drawn(range(1, 3))
    assert torch.equal(torch.get_rng_state(), before)


def test_workers_augment_for_a_gpu_as_far_as_there_are_cores() -> None:
    gpu = torch.device("cuda")
    assert [n_workers(gpu, n) for n in (1, 2, 4, 64)] == [2, 2, 3, 16]
    assert n_workers(CPU, 64) == 0


def test_what_arrives_on_a_device_is_what_was_drawn(device: torch.device) -> None:
    arrived = make_loader(PAIRS, Augmenter("strong", 32, 1), 2, 1, range(1, 3), device, workers=1)
    expected = drawn(range(1, 3))
    for (images, masks), raw_images, raw_masks in zip(arrived, expected[::2], expected[1::2], strict=True):
        assert images.is_pinned() == masks.is_pinned() == (device.type == "cuda")
        there, truth = to_device(images, masks, device)
        assert there.is_contiguous(memory_format=memory_format(device))
        torch.testing.assert_close(there.cpu(), to_device(raw_images, raw_masks, CPU)[0])
        assert torch.equal(truth.cpu(), raw_masks.long())


@pytest.mark.parametrize(
    ("free", "expected"), [(10**9, (3, 2)), (80, (3, 1)), (60, (3, 1)), (40, (2, 1)), (20, (1, 1)), (19, (0, 0))]
)
def test_batches_that_lie_ready_fill_at_most_half_of_the_shared_memory(free: int, expected: tuple[int, int]) -> None:
    """Three workers, batches of 10 bytes."""
    assert limit_workers(free, 3, 10) == expected


def test_where_there_is_no_shared_memory_the_run_augments_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("agent.training.loader.SHARED_MEMORY", tmp_path / "none")
    assert free_shared_memory() == 2**62
    monkeypatch.setattr("agent.training.loader.free_shared_memory", lambda: 0)
    assert equal(drawn(range(1, 2), workers=2), drawn(range(1, 2)))


KILLED = "DataLoader worker (pid 7) is killed by signal: {}. "


def test_a_worker_that_the_signal_of_a_cluster_ends_is_an_interruption() -> None:
    """It may die before the signal reaches the run itself."""
    with pytest.raises(Interrupted, match="SIGTERM"), Interruption().translate_worker_exit():
        raise RuntimeError(KILLED.format("Terminated"))
    interruption = Interruption()
    interruption.request("SIGINT")
    with pytest.raises(Interrupted, match="SIGINT"), interruption.translate_worker_exit():
        raise RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly")


@pytest.mark.parametrize("text", [KILLED.format("Killed"), "shapes differ"])
def test_other_ends_of_a_worker_are_failures(text: str) -> None:
    with pytest.raises(RuntimeError) as raised, Interruption().translate_worker_exit():
        raise RuntimeError(text)
    assert str(raised.value) == text
