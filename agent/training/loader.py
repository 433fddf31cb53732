"""Training batches in an order that depends on the seed only, augmented ahead of the training where that pays."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from agent.training.loop import Augment, split_batches
from data.dataset import Pair

Key = tuple[int, int]
"""Visit (from 1) and index of an image; its augmentation depends on both and on the seed."""

MAX_WORKERS = 16
"""Processes that augment for a GPU. At 512 pixels each delivers 90 images/s of the strongest augmentation, 200 of the
medium one."""

PREFETCH = 2
"""Most ready batches of each of these processes."""

SHARED_MEMORY = Path("/dev/shm")
CPU = torch.device("cpu")


class BatchOrder(Sampler[list[Key]]):
    """The batches of several visits to all images; those of a visit depend on (seed, visit) only."""

    def __init__(self, n: int, batch_size: int, seed: int, visits: range) -> None:
        self.n, self.batch_size, self.seed, self.visits = n, batch_size, seed, visits

    def __iter__(self) -> Iterator[list[Key]]:
        for visit in self.visits:
            for batch in split_batches(self.n, self.batch_size, np.random.default_rng([self.seed, visit])):
                yield [(visit, int(index)) for index in batch]


class AugmentedDataset(Dataset[tuple[Tensor, Tensor]]):
    """Image (H, W, 3) and mask (H, W), both uint8, as they look under a key."""

    def __init__(self, pairs: Sequence[Pair], augment: Augment) -> None:
        self.pairs, self.augment = pairs, augment

    def __getitem__(self, key: Key) -> tuple[Tensor, Tensor]:
        visit, index = key
        pair = self.pairs[index]
        image, mask = self.augment(pair.image, pair.mask, visit, index)
        return torch.from_numpy(image), torch.from_numpy(mask)


def make_loader(
    pairs: Sequence[Pair],
    augment: Augment,
    batch_size: int,
    seed: int,
    visits: range,
    device: torch.device = CPU,
    workers: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of all `visits`: images (B, H, W, 3) and masks (B, H, W), uint8, in pinned memory if `device` is a GPU.

    With workers, later batches are prepared while a step computes and while an epoch is validated. Neither their
    number nor a resumed run's first epoch changes any batch. No random number of torch's global generator is drawn.
    """
    largest = (batch_size + 1) * (pairs[0].image.nbytes + pairs[0].mask.nbytes)
    workers, ahead = limit_workers(free_shared_memory(), workers, largest)
    loader = DataLoader(
        AugmentedDataset(pairs, augment),
        batch_sampler=BatchOrder(len(pairs), batch_size, seed, visits),
        num_workers=workers,
        prefetch_factor=ahead or None,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),
    )
    return iter(loader)


def n_workers(device: torch.device, cores: int) -> int:
    """Number of processes that augment: none on a CPU, where training keeps all cores busy and would be slowed down.

    For a GPU at least two: the share of a trial among many may be a single core, and idle processes sleep.
    """
    return 0 if device.type == "cpu" else max(2, min(MAX_WORKERS, cores - 1))


def limit_workers(free: int, workers: int, batch: int) -> tuple[int, int]:
    """Number of workers and of ready batches of each, such that these fill at most half of the `free` bytes.

    They are bytes of shared memory: batches travel through it, a worker that finds none dies, and containers often
    have 64 MB.
    """
    most = free // 2 // batch
    workers = min(workers, most)
    return workers, min(PREFETCH, most // workers) if workers else 0


def free_shared_memory() -> int:
    """Free bytes of shared memory; 2**62 on a system without /dev/shm, which shares it in another way."""
    return shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else 2**62
