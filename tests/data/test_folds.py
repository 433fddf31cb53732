"""Folds: random re-splits of all labelled pairs, in which no picture is in two splits."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import layout
from data.layout import Item, Listing
from data.puzzle import DataError, load
from tests.data.folders import couple, handout, noise, save, square

SPLITS = ("train", "val", "test")


def listing(sizes: tuple[int, int, int], shared_names: bool) -> Listing:
    """So many pairs per split, numbered through or from 1 in every split."""
    items, number = [], 0
    for split, size in zip(SPLITS, sizes, strict=True):
        for position in range(1, size + 1):
            number += 1
            name = f"image-{position if shared_names else number}"
            items.append(Item(split, name, Path(split, "images", name), Path(split, "masks", name)))
    return Listing(items, rule="split by its folders")


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.tuples(*[st.integers(1, 20)] * 3),
    shared_names=st.booleans(),
    split_seed=st.integers(0, 3),
    fold=st.integers(1, 10_000),
)
def test_every_pair_of_every_fold_is_in_exactly_one_split(
    sizes: tuple[int, int, int], shared_names: bool, split_seed: int, fold: int
) -> None:
    before = listing(sizes, shared_names)
    after = layout.resplit(before, split_seed, fold)
    files = [(item.image, item.mask) for item in before.items]
    assert Counter((item.image, item.mask) for item in after.items) == Counter(files)
    assert len(set(files)) == len(files)
    assert Counter(item.split for item in after.items) == dict(zip(SPLITS, sizes, strict=True))
    assert len({item.name for item in after.items}) == len(files)
    assert after.seeded


def parted(folder: Path, **how: int) -> dict[str, list[str]]:
    dataset = load(folder, **how)
    return {split: [pair.name for pair in getattr(dataset, split)] for split in SPLITS}


def lab(folder: Path) -> Path:
    """Ten, four and four pairs in folders."""
    couple(folder / "train", range(1, 11))
    couple(folder / "val", range(11, 15))
    couple(folder / "test", range(15, 19))
    return folder


def test_fold_0_is_the_split_of_the_folder(tmp_path: Path) -> None:
    assert parted(lab(tmp_path), fold=0) == {
        "train": [f"image-{n}" for n in range(1, 11)],
        "val": [f"image-{n}" for n in range(11, 15)],
        "test": [f"image-{n}" for n in range(15, 19)],
    }


def test_folds_are_ten_four_and_four_and_follow_fold_and_split_seed_alone(tmp_path: Path) -> None:
    lab(tmp_path)
    folds = [parted(tmp_path, fold=fold) for fold in (0, 1, 2)] + [parted(tmp_path, fold=1, split_seed=1)]
    assert [[len(found[split]) for split in SPLITS] for found in folds] == [[10, 4, 4]] * 4
    assert len({str(found) for found in folds}) == 4
    assert parted(tmp_path, fold=1) == folds[1]


def test_folds_have_the_sizes_of_the_folder(tmp_path: Path) -> None:
    couple(tmp_path / "train", range(1, 17))
    couple(tmp_path / "val", range(17, 21))
    couple(tmp_path / "test", range(21, 25))
    for fold in (1, 2):
        assert [len(parted(tmp_path, fold=fold)[split]) for split in SPLITS] == [16, 4, 4]


def test_a_fold_does_not_depend_on_the_split_that_the_folder_had(tmp_path: Path) -> None:
    couple(tmp_path / "flat", range(1, 19))
    assert parted(lab(tmp_path / "lab"), fold=3) == parted(tmp_path / "flat", fold=3)


def test_over_many_folds_every_picture_is_tested_about_equally_often() -> None:
    before = listing((10, 4, 4), shared_names=False)
    tested = Counter(
        item.name
        for fold in range(1, 201)
        for item in layout.resplit(before, 0, fold).items
        if item.split == "test"
    )
    assert len(tested) == 18
    assert max(tested.values()) < 2 * min(tested.values())


def test_names_that_two_splits_share_say_where_they_come_from(tmp_path: Path) -> None:
    for split in SPLITS:
        save(tmp_path / split / "images" / "image-1.png", noise(split))
        save(tmp_path / split / "masks" / "mask-1.png", square())
    found = parted(tmp_path, fold=1)
    assert sorted(name for names in found.values() for name in names) == [
        "test-image-1",
        "train-image-1",
        "val-image-1",
    ]


def test_two_copies_of_a_picture_are_refused_in_every_fold_even_where_the_folder_may_have_them(
    tmp_path: Path,
) -> None:
    handout(tmp_path)
    save(tmp_path / "train/images/image-2.png", noise("image-1"))
    assert len(load(tmp_path).train) == 3
    with pytest.raises(DataError, match=r"are the same picture \(a random split may part them\): keep one"):
        load(tmp_path, fold=1)
