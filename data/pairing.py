"""Pairs of masks and images, by their names alone."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from data.problems import Problem

ROLE_WORDS = ("images", "image", "img", "photo", "picture", "masks", "mask", "labels", "label", "gt", "seg")
SPLIT_WORDS = ("train", "training", "val", "validation", "valid", "test", "testing")
ROLE = re.compile(rf"(?<![^\W\d_])({'|'.join(ROLE_WORDS)})(?![^\W\d_])")
OF_ITS_NAME = "of its name (its number is enough only if the rest of all names is the same)"
WORD = re.compile(r"[^\W\d_]+|\d+")


def normal(name: str) -> str:
    """A name in one Unicode form: file systems write é in different ones."""
    return unicodedata.normalize("NFC", name)


def is_uniform(names: Iterable[str]) -> bool:
    """Whether these stems differ in their numbers alone, so that a number identifies one."""
    return len({tuple(word for word in _text(name) if word not in SPLIT_WORDS) for name in names}) <= 1


def candidates(mask: Path, images: Sequence[Path], by_number: bool) -> list[Path]:
    """The images this mask may belong to, by the first of these rules that any image satisfies.

    The same name; the same but for case and role words; the same but for separators, too; the same words, and the
    mask's numbers begin with all of the image's. `by_number`: other words, but numbers that begin so.
    """
    for name in (normal, _core, _words):
        same = [image for image in images if name(image.stem) == name(mask.stem)]
        if same:
            return same
    same_words = [image for image in images if _text(image.stem) == _text(mask.stem)]
    matches = _longest(mask, same_words)
    return matches or (_longest(mask, images) if by_number else [])


def pair(images: Sequence[Path], masks: Sequence[Path], by_number: bool) -> tuple[dict[Path, Path], list[Problem]]:
    """The mask of each image that has exactly one, and the faults of the other files."""
    fitting = {mask: candidates(mask, images, by_number) for mask in masks}
    takers = Counter(matches[0] for matches in fitting.values() if len(matches) == 1)
    pairs: dict[Path, Path] = {}
    findings: list[Problem] = []
    for image in images:
        mine = [mask for mask, matches in fitting.items() if image in matches]
        if len(mine) == 1 and fitting[mine[0]] == [image]:
            pairs[image] = mine[0]
        elif not mine:
            findings.append(Problem(image, "has no mask", f"add a mask {OF_ITS_NAME}, or remove the image"))
        elif takers[image] > 1:
            names = " and ".join(mask.name for mask in mine)
            findings.append(Problem(image, f"has {len(mine)} masks", "keep one", names))
    for mask, matches in fitting.items():
        if not matches:
            findings.append(Problem(mask, "has no image", f"add an image {OF_ITS_NAME}, or remove the mask"))
        elif len(matches) > 1:
            names = " and ".join(image.name for image in matches)
            findings.append(Problem(mask, f"fits {len(matches)} images", "rename it so that it fits one", names))
    return pairs, findings


def _core(stem: str) -> str:
    """Lower case, without role words and the separators around them."""
    return ROLE.sub("", normal(stem).casefold()).strip("-_. ")


def _words(stem: str) -> list[str]:
    """Words and numbers of the core, without separators."""
    return WORD.findall(_core(stem))


def _text(stem: str) -> list[str]:
    return [word for word in _words(stem) if not word.isdecimal()]


def _numbers(stem: str) -> list[int]:
    return [int(word) for word in _words(stem) if word.isdecimal()]


def _longest(mask: Path, images: Sequence[Path]) -> list[Path]:
    """Images with the most numbers among those whose numbers begin the mask's."""
    numbers = _numbers(mask.stem)
    lengths = {image: len(_numbers(image.stem)) for image in images}
    fitting = [image for image in images if lengths[image] and numbers[: lengths[image]] == _numbers(image.stem)]
    most = max((lengths[image] for image in fitting), default=0)
    return [image for image in fitting if lengths[image] == most]
