"""Folds: random re-splits of all labelled pairs, in which no picture is in two splits."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import layout
from data.__main__ import main
from data.dataset import load_dataset
from data.layout import Item, Listing
from data.problems import DataError
from data.splits import SplitError, cross_validation
from tests.data.folders import couple, handout, noise, problems, save, square

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
    dataset = load_dataset(folder, **how)
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


def test_a_fold_does_not_depend_on_the_split_that_the_folder_had(tmp_path: Path) -> None:
    couple(tmp_path / "flat", range(1, 19))
    assert parted(lab(tmp_path / "lab"), fold=3) == parted(tmp_path / "flat", fold=3)


def test_over_many_folds_every_picture_is_tested_about_equally_often() -> None:
    before = listing((10, 4, 4), shared_names=False)
    tested = Counter(
        item.name for fold in range(1, 201) for item in layout.resplit(before, 0, fold).items if item.split == "test"
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


def test_two_copies_of_a_picture_are_refused_in_every_fold_even_where_the_folder_may_have_them(tmp_path: Path) -> None:
    handout(tmp_path)
    save(tmp_path / "train/images/image-2.png", noise("image-1"))
    assert len(load_dataset(tmp_path).train) == 3
    with pytest.raises(DataError, match=r"image-1\.png and .*image-2\.png are the same picture"):
        load_dataset(tmp_path, fold=1)


@pytest.mark.parametrize(("n", "folds", "parts"), [(18, 6, [3] * 6), (18, 4, [5, 5, 4, 4]), (7, 2, [4, 3])])
def test_a_cross_validation_tests_every_picture_once(n: int, folds: int, parts: list[int]) -> None:
    before = listing((n - 4, 2, 2), shared_names=False)
    dealt = [layout.resplit(before, 0, fold, folds).items for fold in range(1, folds + 1)]
    tested = [item.name for items in dealt for item in items if item.split == "test"]
    assert sorted(tested) == sorted(item.name for item in before.items)
    counts = [Counter(item.split for item in items) for items in dealt]
    assert [count["test"] for count in counts] == parts
    assert all(count["val"] == 2 and count.total() == n for count in counts)
    assert layout.resplit(before, 1, 1, folds).items != dealt[0]


GROUPS = {"a": 6, "b": 4, "c": 3, "d": 2, "": 3}
"""Pictures of each group; those of the empty one stand alone."""


def grouped() -> Listing:
    names = [name for name, n in GROUPS.items() for _ in range(n)]
    items = [
        Item(split, f"i{number:02}", Path(f"i{number}"), Path(f"m{number}"), group)
        for number, (split, group) in enumerate(zip(["train"] * 10 + ["val"] * 4 + ["test"] * 4, names, strict=True))
    ]
    return Listing(items)


@pytest.mark.parametrize("folds", [0, 3, 5])
def test_groups_stay_together_in_every_fold(folds: int) -> None:
    tested = Counter[str]()
    for fold in range(1, (folds or 20) + 1):
        items = layout.resplit(grouped(), 0, fold, folds).items
        splits = {(item.group or item.name, item.split) for item in items}
        assert len(splits) == len({name for name, _ in splits}) == 7
        assert {item.split for item in items} == set(SPLITS)
        tested.update(item.name for item in items if item.split == "test")
    assert not folds or tested == Counter(item.name for item in grouped().items)


@pytest.mark.parametrize(
    ("groups", "fold", "folds", "sentence"),
    [
        (["a", "a", "b", "b"], 1, 0, "there are 2 groups: "),
        (["", "", "", ""], 1, 5, "there are 4 images: 5 folds "),
        (["a", "a", "a", "b", "c"], 2, 2, "there are 3 groups: 2 folds "),
    ],
)
def test_too_few_groups_are_one_sentence(groups: list[str], fold: int, folds: int, sentence: str) -> None:
    splits = ["train"] * (len(groups) - 2) + ["val", "test"]
    items = [
        Item(s, str(n), Path(f"{n}"), Path(f"m{n}"), g) for n, (s, g) in enumerate(zip(splits, groups, strict=True))
    ]
    (problem,) = layout.resplit(Listing(items), 0, fold, folds).problems
    assert str(problem).startswith(sentence)


def test_a_group_column_holds_for_the_seeded_split_and_beside_split_folders(tmp_path: Path) -> None:
    couple(tmp_path / "flat", range(1, 10))
    rows = [f"image-{n},{'abc'[(n - 1) // 3]}" for n in range(1, 10)]
    (tmp_path / "flat/split.csv").write_text("\n".join(["image,group", *rows]))
    for seed in range(5):
        parts = parted(tmp_path / "flat", split_seed=seed).values()
        assert sorted(sorted(part) for part in parts) == [
            [f"image-{n}" for n in range(first, first + 3)] for first in (1, 4, 7)
        ]
    handout(tmp_path / "parts")
    path = tmp_path / "parts/split.csv"
    path.write_text("image,group\nimage-1,x\nimage-2.png,x\nimage-10,\nimage-3,\nimage-4,y\n")
    assert not layout.find(tmp_path / "parts", 0).problems
    for fold in range(1, 6):
        found = parted(tmp_path / "parts", fold=fold).values()
        assert any({"image-1", "image-2"} <= set(part) for part in found)
    path.write_text("image,split,group\nimage-1,train,x\nimage-2,val,\nimage-10,train,\nimage-3,val,x\nimage-4,test,\n")
    elsewhere, parted_group = problems(tmp_path / "parts")
    assert elsewhere.startswith(f"{path}, line 3: 'image-2' ")
    assert parted_group.startswith(f"{path}: group 'x' is in train and val")


@pytest.mark.parametrize("flags", [["--folds", "1"], ["--folds", "3"], ["--folds", "3", "--fold", "4"]])
def test_a_fold_that_a_cross_validation_does_not_have_is_refused(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["drawn", *flags])
    assert f"folds is {flags[1]}, " in capsys.readouterr().err


def test_more_folds_than_could_be_counted_are_refused_at_once() -> None:
    with pytest.raises(SplitError, match=f"{10**20} folds need more"):
        cross_validation([[0], [1], [2]], 1, 1, 10**20, 0)
