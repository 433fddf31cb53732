"""Layout of a folder: image and mask files, their pairs by name, and the parts and groups of its split.csv.

Nothing is decoded here. `find` returns a Listing; its `problems` are faults of names and folders, one sentence each,
so that a caller can add faults of the pixels and report everything at once.
"""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image

from common.text import is_utf8, natural_order, plural
from data import pairing
from data.problems import DataError, Problem
from data.splits import SplitError, cross_validation, group_positions, random_split

SPLITS = {"train": ("train", "training"), "val": ("val", "validation", "valid"), "test": ("test", "testing")}
IMAGE_FOLDERS = ("images", "image", "imgs", "img")
MASK_FOLDERS = ("masks", "mask", "labels", "label")
SPLIT_FILE = "split.csv"
HEADERS = (["image", "split"], ["image", "split", "group"], ["image", "group"])
# Pillow cannot open these without plugins. To call them unreadable is kinder than to pass over a photograph.
OTHER_PICTURE_SUFFIXES = {".heic", ".heif", ".dng", ".nef", ".cr2", ".cr3", ".arw", ".raf", ".svg"}
NO_PICTURE_FORMATS = {"BUFR", "GRIB", "HDF5", "MPEG", "PALM", "PDF"}
"""Formats of which Pillow knows the suffixes, but reads no picture."""
LABEL_SUFFIXES = {".npy", ".npz", ".mat", ".h5", ".hdf", ".pt", ".json", ".txt", ".xml"}


@dataclass(frozen=True)
class Item:
    """One image with its mask; None stands for a file that is missing or that cannot be told for certain.

    Items of one `group` (a patient, a plant, a scene) are never in two splits; an empty group is the item's own.
    """

    split: str
    name: str
    image: Path | None
    mask: Path | None
    group: str = ""


@dataclass
class Listing:
    """Items of a folder. `rule`: the split's source in words; `ignored`: files that are no pictures, and folders."""

    items: list[Item] = field(default_factory=list)
    problems: list[Problem | str] = field(default_factory=list)
    ignored: list[Path] = field(default_factory=list)
    rule: str = ""
    seeded: bool = False


def find(folder: Path, split_seed: int, fold: int = 0, folds: int = 0) -> Listing:
    """List the pairs of `folder`, in any layout of data/README.md. Raises DataError if it cannot be read.

    Fold 0 is the folder's own split; fold k ≥ 1 the k-th random re-split of all its pairs, or with `folds` the k-th of
    so many that test each pair once, as `resplit` draws them.
    """
    try:
        listing = _read_layout(folder, split_seed)
    except OSError as error:
        raise DataError([f"{error.filename} cannot be read: {error.strerror}."]) from error
    return resplit(listing, split_seed, fold, folds) if fold else listing


def resplit(listing: Listing, split_seed: int, fold: int, folds: int = 0) -> Listing:
    """The same pairs in the `fold`-th random split, by their names, `split_seed`, `fold` and `folds` alone.

    Its splits keep their sizes; with `folds` the test parts are as even as they can be and validation keeps its size.
    Every pair is in exactly one split. A name that two old splits share becomes `SPLIT-NAME` with its old split.
    """
    ordered = sorted(_distinct(listing.items), key=lambda item: natural_order(item.name))
    sizes = Counter(item.split for item in listing.items)
    groups = group_positions([item.group for item in ordered])
    try:
        splits = (
            cross_validation(groups, sizes["val"], fold, folds, (split_seed, folds))
            if folds
            else random_split(groups, sizes, (split_seed, fold))
        )
    except SplitError as error:
        if ordered and not listing.problems:
            listing.problems.append(f"{_count_groups(ordered)}: {error}.")
        return listing
    items = [replace(item, split=split) for item, split in zip(ordered, splits, strict=True)]
    rule = f"fold {fold}: all pairs split at random with split_seed={split_seed}"
    if folds:
        rule = f"fold {fold} of {folds}: each pair is tested in one of them, dealt with split_seed={split_seed}"
    return replace(listing, items=items, rule=rule, seeded=True)


def _count_groups(items: Sequence[Item]) -> str:
    n = len(group_positions([item.group for item in items]))
    what = "group" if any(item.group for item in items) else "image"
    return f"there {'is' if n == 1 else 'are'} {plural(n, what)}"


def _distinct(items: Sequence[Item]) -> list[Item]:
    """The items, each under a name that no other has."""
    shared = Counter(item.name for item in items)
    return [
        replace(item, name=f"{item.split}-{item.name}") if shared[item.name] > 1 and item.split else item
        for item in items
    ]


def _read_layout(folder: Path, split_seed: int) -> Listing:
    listing = Listing()
    if not folder.is_dir():
        listing.problems.append(
            f"{folder} is a file: give the folder that holds the images and masks."
            if folder.exists()
            else f"{folder} does not exist: give the folder that holds the images and masks."
        )
        return listing
    by_split = {split: _subfolder(folder, names, listing) for split, names in SPLITS.items()}
    images, masks = _subfolder(folder, IMAGE_FOLDERS, listing), _subfolder(folder, MASK_FOLDERS, listing)
    if any(by_split.values()):
        _list_splits(folder, by_split, listing)
        if images or masks:
            listing.problems.append(
                f"{folder} has split folders and also {(images or masks or folder).name}/ beside them: "
                "move its files into the split folders or out of the way."
            )
        if split_file := _child(folder, SPLIT_FILE):
            listing.items = _read_split_file(split_file, listing.items, listing)
    elif images or masks:
        _list_flat(folder, split_seed, listing)
    if not listing.items and not listing.problems:
        listing.problems.append(
            f"{folder} holds no images: it needs train/, val/ and test/, each with images/ and masks/, "
            "or just images/ and masks/."
        )
    return listing


def _list_splits(folder: Path, by_split: dict[str, Path | None], listing: Listing) -> None:
    listing.rule = "split by its folders"
    couples = []
    for split, path in by_split.items():
        if path is None:
            listing.problems.append(f"{folder} has no {split}/ folder: add one with images/ and masks/ in it.")
            continue
        couples.append(couple := _pair_folders(path, split, listing))
        if couple.is_whole and not couple.images and not couple.masks:
            listing.problems.append(f"{path} holds no images: every split needs at least one image with its mask.")
    listing.items += _items(couples, listing)


def _list_flat(folder: Path, split_seed: int, listing: Listing) -> None:
    items = _items([_pair_folders(folder, "", listing)], listing)
    split_file = _child(folder, SPLIT_FILE)
    if split_file is not None and items:
        items = _read_split_file(split_file, items, listing)
    if not items or items[0].split:
        listing.rule, listing.items = f"split by {SPLIT_FILE}", items
        return
    listing.rule, listing.seeded = f"split at random with split_seed={split_seed}", True
    try:
        groups = group_positions([item.group for item in items])
        splits = random_split(groups, default_sizes(len(items)), split_seed)
    except SplitError as error:
        listing.problems.append(f"{folder}: {_count_groups(items)}: {error}.")
        splits = ["train"] * len(items)
    listing.items = [replace(item, split=split) for item, split in zip(items, splits, strict=True)]


def default_sizes(n: int) -> dict[str, int]:
    """10/4/4 of every 18 of n ≥ 3 images: round(4 n / 18) for validation and for test, and at least one each."""
    held_out = max(1, round(4 * n / 18))
    return {"train": n - 2 * held_out, "val": held_out, "test": held_out}


@dataclass(frozen=True)
class FolderPair:
    """The picture files of one images/ and one masks/ folder, either of which may be missing."""

    split: str
    images: list[Path]
    masks: list[Path]
    is_whole: bool
    labels: list[Path]


def _pair_folders(folder: Path, split: str, listing: Listing) -> FolderPair:
    folders = {"images": _subfolder(folder, IMAGE_FOLDERS, listing), "masks": _subfolder(folder, MASK_FOLDERS, listing)}
    listing.problems += [
        f"{folder} has no {wanted}/ folder: add one." for wanted, path in folders.items() if path is None
    ]
    already = len(listing.ignored)
    images, masks = (_pictures(path, listing) for path in folders.values())
    listing.problems += [
        Problem(path, "has a name that is not UTF-8, as the name of a picture has to be in a run", "rename it")
        for path in (*images, *masks)
        if not is_utf8(path.name)
    ]
    labels = [path for path in listing.ignored[already:] if path.suffix.lower() in LABEL_SUFFIXES]
    return FolderPair(split, images, masks, None not in folders.values(), labels)


def _items(couples: Sequence[FolderPair], listing: Listing) -> list[Item]:
    """Items in natural order of their names, those of each couple together; problems go to `listing`."""
    images = [path.stem for couple in couples for path in couple.images]
    masks = [path.stem for couple in couples for path in couple.masks]
    by_number = pairing.is_uniform(images) and pairing.is_uniform(masks)
    items = []
    for couple in couples:
        pairs, findings = pairing.pair(couple.images, couple.masks, by_number)
        items += [Item(couple.split, image.stem, image, pairs.get(image)) for image in couple.images]
        paired = set(pairs.values())
        items += [Item(couple.split, mask.stem, None, mask) for mask in couple.masks if mask not in paired]
        if couple.is_whole:
            listing.problems += findings
        if len(pairs) < len(couple.images):
            remedy = "draw it into a PNG, black for background and white for the foreground, named alike"
            listing.problems += [Problem(path, "is a label, but no picture", remedy) for path in couple.labels]
    return items


def _with_split(items: Sequence[Item]) -> list[Item]:
    """The items; those of no split are trained on."""
    return [replace(item, split=item.split or "train") for item in items]


def _read_split_file(path: Path, items: Sequence[Item], listing: Listing) -> list[Item]:
    """The items with the split and the group in a CSV.

    Columns `image` (file name or stem), `split`, `group`, of which one of the last two may be missing. In split folders
    the folders decide, and it must agree.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        listing.problems.append(f"{path} is not UTF-8 text: save it as CSV in UTF-8.")
        return _with_split(items)
    reader = csv.reader(lines, delimiter=";" if lines and ";" in lines[0] else ",", strict=True)
    try:
        rows = [[cell.strip() for cell in row] for row in reader]
    except csv.Error as error:
        listing.problems.append(
            f"{path}, line {reader.line_num}: cannot be read as CSV ({error}): look for a quote without its other half."
        )
        return _with_split(items)
    header = [cell.casefold() for cell in rows[0]] if rows else []
    if header not in HEADERS:
        listing.problems.append(
            f"{path} does not begin with the line image,split or image,split,group or image,group: add it."
        )
        return _with_split(items)
    by_name: dict[str, set[int]] = {}
    for position, (item, distinct) in enumerate(zip(items, _distinct(items), strict=True)):
        for key in (item.image.name, item.name, distinct.name) if item.image else ():
            by_name.setdefault(pairing.normal(key), set()).add(position)
    chosen: dict[int, Item] = {}
    for number, cells in enumerate(rows[1:], start=2):
        if any(cells):
            row = dict(zip(header, (*cells, "", "", ""), strict=False))
            _read_row(f"{path}, line {number}:", row, items, by_name, chosen, listing)
    for position, item in enumerate(items):
        if item.image and position not in chosen:
            listing.problems.append(f"{item.image} is not in {path}: add a line for it.")
    result = [chosen.get(position, item) for position, item in enumerate(items)]
    if "split" in header:
        splits = {item.split for item in chosen.values()}
        listing.problems += [
            f"{path} puts no image into {split}: train, val and test need at least one each."
            for split in SPLITS
            if split not in splits
        ]
        result = _with_split(result)
    return _check_groups(path, result, listing)


def _read_row(
    where: str,
    row: Mapping[str, str],
    items: Sequence[Item],
    by_name: Mapping[str, set[int]],
    chosen: dict[int, Item],
    listing: Listing,
) -> None:
    name, word = pairing.normal(row["image"]), row.get("split")
    split = next((split for split, words in SPLITS.items() if word and word.casefold() in words), "")
    positions = by_name.get(name, set())
    position = min(positions, default=-1)
    if len(positions) > 1:
        listing.problems.append(f"{where} {name!r} is in several splits: write SPLIT-NAME, as in train-{name}.")
    elif not positions:
        listing.problems.append(f"{where} there is no image {name!r}: give a file name of the images folder.")
    elif position in chosen:
        listing.problems.append(f"{where} {name!r} is there for the second time: keep one of its lines.")
    else:
        item = items[position]
        if item.split and split not in ("", item.split):
            listing.problems.append(f"{where} {name!r} is given to {split}, but lies in {item.split}: move it.")
        default = item.split or ("train" if word is not None else "")
        chosen[position] = replace(item, split=item.split or split or default, group=row.get("group", ""))
    if word is not None and not split:
        listing.problems.append(f"{where} {word!r} is no split: use train, val or test.")


def _check_groups(path: Path, items: list[Item], listing: Listing) -> list[Item]:
    """Report groups in several splits as problems."""
    splits: dict[str, set[str]] = {}
    for item in items:
        if item.group:
            splits.setdefault(item.group, set()).add(item.split)
    for group, parts in splits.items():
        if len(parts) > 1:
            where = " and ".join(sorted(parts))
            listing.problems.append(f"{path}: group {group!r} is in {where}: keep its images in one of them.")
    return items


def photographs(folder: Path) -> tuple[list[Path], list[Path]]:
    """Picture files of a folder itself, in natural order (2 before 10), and all else in it; hidden ones left out."""
    listing = Listing()
    return _pictures(folder, listing), listing.ignored


def describe_ignored(paths: Sequence[Path]) -> str:
    """Files and folders that were passed over, in a line."""
    return f"ignored, being no picture files: {', '.join(f'{path}/' if path.is_dir() else str(path) for path in paths)}"


def _pictures(folder: Path | None, listing: Listing) -> list[Path]:
    """Picture files of a folder in natural order (2 before 10); all else, unless hidden, counts as ignored.

    A link to nothing is among them, so that its reader reports it.
    """
    shown = [path for path in folder.iterdir() if not path.name.startswith(".")] if folder else []
    formats = Image.registered_extensions().items()
    suffixes = {suffix for suffix, name in formats if name not in NO_PICTURE_FORMATS} | OTHER_PICTURE_SUFFIXES
    pictures = {path for path in shown if path.suffix.lower() in suffixes and (path.is_file() or _is_broken_link(path))}
    listing.ignored += sorted(set(shown) - pictures)
    return sorted(pictures, key=lambda path: (natural_order(path.stem), path.name))


def _subfolder(folder: Path, names: Sequence[str], listing: Listing) -> Path | None:
    named = sorted(path for path in folder.iterdir() if path.name.casefold() in names)
    listing.problems += [
        f"{path} is a link to {path.readlink()}, which is not there: restore that folder or remove the link."
        for path in named
        if _is_broken_link(path)
    ]
    folders = [path for path in named if path.is_dir()]
    if len(folders) > 1:
        both = " and ".join(f"{path.name}/" for path in folders)
        sentence = f"{folder} has {both}, which mean the same: keep one."
        if sentence not in listing.problems:
            listing.problems.append(sentence)
    return folders[0] if folders else None


def _is_broken_link(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


def _child(folder: Path, name: str) -> Path | None:
    return next((path for path in sorted(folder.iterdir()) if path.name.casefold() == name), None)
