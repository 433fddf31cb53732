"""Optuna without its announcements: a study lives for one question here, too short to be announced."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.study import Study


def new_study(maximize: bool, sampler: BaseSampler | None = None) -> Study:
    import optuna

    with log_errors_only():
        return optuna.create_study(direction="maximize" if maximize else "minimize", sampler=sampler)


@contextmanager
def log_errors_only() -> Iterator[None]:
    """Have Optuna log errors only until the end of the block."""
    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
