"""Files whole or not at all, retries, numbers for people, keys and environment variables."""

import ast
import re
from pathlib import Path

import pytest

from common import keys
from common.environment import OTHERS, OWN, ROOT, WANDB_FOLDERS, own, private_wandb
from common.files import replacing, write_text
from common.text import clock, plural, size, some
from data.augment import RECIPES


@pytest.mark.parametrize("sync", [False, True])
def test_a_file_is_replaced_whole_with_the_mode_asked_for(tmp_path: Path, sync: bool) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    write_text(target, "new", sync=sync, mode=0o600)
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_what_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")

    def interrupted() -> None:
        with replacing(target) as file:
            file.write(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (75.4, "1:15"), (59.6, "1:00"), (3700, "1:01:40")])
def test_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2e9, "2.0 GB"), (3.2e12, "3.2 TB"), (5e15, "5000.0 TB")],
)
def test_a_size(n_bytes: float, text: str) -> None:
    assert size(n_bytes) == text


def test_counted_nouns_and_lists_that_are_cut() -> None:
    assert [plural(n, "run") for n in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
    assert some(["a", "b", "c"]) == "a, b, c"
    assert some("abcdef") == "a, b, c, d and 2 more"
    assert some("abcde", 3) == "a, b, c and 2 more"


def test_every_key_is_explained_where_the_runs_are() -> None:
    page = (ROOT / "docs" / "runs.md").read_text()
    for name in (*keys.STRENGTHS, *keys.RULES, *map(keys.test_metric, keys.METRICS), *keys.HISTORY, *keys.SECONDS):
        assert f"`{name}`" in page, name
    assert tuple(RECIPES) == keys.STRENGTHS


KEY = re.compile(r"(?:train|val|test|best_iou|best_loss|seconds)/\w+|seconds_\w+|epoch")
NO_NUMBERS = {keys.TEST_RULE, keys.PREDICTIONS, "best_loss/bn_repaired", "best_iou/bn_repaired"}
"""Keys of no numbers: no search can follow them."""


def test_every_key_that_the_page_explains_or_the_code_names_is_agreed() -> None:
    page = (ROOT / "docs" / "runs.md").read_text()
    history = page.split("## History")[1].split("measured")[0]
    summary = page.split("## Summary")[1].split("## Artifacts")[0]
    named = {name for name in re.findall(r"`([\w/]+)`", history + summary) if KEY.fullmatch(name)}
    for room in ("agent", "analysis", "study"):
        for file in (ROOT / room).rglob("*.py"):
            texts = (node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant))
            named |= {text for text in texts if isinstance(text, str) and "/" in text and KEY.fullmatch(text)}
    assert named - NO_NUMBERS <= {*keys.HISTORY, *keys.SUMMARY}
    assert {"val/loss", "train/iou", "test/image_mean_iou", "seconds/total", "best_loss/test_iou"} <= named


def test_only_known_variables_are_asked_for_and_an_empty_one_is_unset() -> None:
    assert own("PUZZLE_RUNS", {"PUZZLE_RUNS": ""}) is None
    assert own("PUZZLE_RUNS", {"PUZZLE_RUNS": "a"}) == "a"
    with pytest.raises(KeyError):
        own("PUZZLE_RUN")


def test_everything_of_the_client_lies_in_one_folder(tmp_path: Path) -> None:
    variables = private_wandb(tmp_path)
    assert set(WANDB_FOLDERS) <= set(variables)
    assert all(Path(variables[name]).is_relative_to(tmp_path) for name in (*WANDB_FOLDERS, "NETRC"))


def test_the_page_lists_every_variable() -> None:
    page = (ROOT / "docs" / "environment.md").read_text()
    rows = [f"| `{name}` | {v.meaning} | {v.default} |" for name, v in (OWN | OTHERS).items()]
    assert [line for line in page.splitlines() if line.startswith("| `")] == rows
