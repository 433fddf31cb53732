"""Split pictures into train, val and test: at random or by folds of a cross-validation, groups kept together."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

Group = list[int]
"""Positions of pictures."""

ORDER = ("val", "test", "train")


class SplitError(ValueError):
    """There is no such split; the text names the least number of groups, or the folds that there are."""


def check_fold(fold: int, folds: int) -> None:
    """Raises SplitError if a cross-validation in so many `folds` (0: none) has no such `fold`."""
    if folds == 1:
        raise SplitError("folds is 1, but must be 0 or at least 2")
    if folds and not 1 <= fold <= folds:
        raise SplitError(f"folds is {folds}, so fold must be 1 to {folds}, not {fold}")


def group_positions(names: Sequence[str]) -> list[Group]:
    """The positions of each name, in the order in which they begin; an empty name is a group of its own each time."""
    positions: dict[str | int, Group] = {}
    for position, name in enumerate(names):
        positions.setdefault(name or position, []).append(position)
    return list(positions.values())


def random_split(groups: Sequence[Group], sizes: Mapping[str, int], seed: int | tuple[int, int]) -> list[str]:
    """The split of every position, as many of each as in `sizes`, or nearly, if groups do not fit.

    Equal groups, sizes and seed give equal splits. Raises SplitError below three groups.
    """
    if len(groups) < len(ORDER):
        raise SplitError("a split into train, val and test needs at least 3")
    room = {name: sizes.get(name, 0) for name in ORDER}
    chosen: dict[int, str] = {}
    left = len(groups)
    for group in _shuffle(groups, seed):
        empty = [name for name in ORDER if name not in chosen.values()]
        open_to = empty if left <= len(empty) else ORDER
        fitting = [name for name in open_to if room[name] >= len(group)]
        name = fitting[0] if fitting else max(open_to, key=lambda each: (each in empty, room[each]))
        chosen |= dict.fromkeys(group, name)
        room[name] -= len(group)
        left -= 1
    return [chosen[position] for position in sorted(chosen)]


def cross_validation(
    groups: Sequence[Group], n_val: int, fold: int, folds: int, seed: int | tuple[int, int]
) -> list[str]:
    """The split of every position in fold 1 to `folds`: each position is tested in one of them.

    The test parts are as even as the groups allow. Validation has `n_val` positions, or nearly, of the parts that are
    tested next; the rest is trained on. Raises SplitError if a part would stay empty.
    """
    parts: list[list[Group]] = [[] for _ in range(min(folds, len(groups) + 1))]  # one empty part is enough to refuse
    for group in _shuffle(groups, seed):
        min(parts, key=lambda part: sum(map(len, part))).append(group)
    others = [group for part in (*parts[fold:], *parts[: fold - 1]) for group in part]
    if not all(parts) or len(others) < 2:
        raise SplitError(f"{folds} folds need more, so that each has some to train on, to validate and to test")
    chosen = {position: "train" for group in others for position in group}
    chosen |= {position: "test" for group in parts[fold - 1] for position in group}
    for group in _take_positions(n_val, others):
        chosen |= dict.fromkeys(group, "val")
    return [chosen[position] for position in sorted(chosen)]


def _take_positions(n: int, groups: Sequence[Group]) -> Iterator[Group]:
    """Groups with n positions at most, the smallest at least, and never all."""
    if not any(len(group) <= n for group in groups[:-1]):
        yield min(groups, key=len)
        return
    for group in groups[:-1]:
        if len(group) <= n:
            n -= len(group)
            yield group


def _shuffle(groups: Sequence[Group], seed: int | tuple[int, int]) -> list[Group]:
    """The groups in random order, then the largest first: small ones fit best at the end."""
    order = np.random.default_rng(seed).permutation(len(groups))
    return sorted((groups[position] for position in order), key=len, reverse=True)
