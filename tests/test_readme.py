"""The README is true: its tree, its links, its commands, and what `make` offers."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
PAGES = sorted(
    path for path in ROOT.glob("**/*.md") if not {".venv", "results", ".cache"} & set(path.relative_to(ROOT).parts)
)


def commands(text: str) -> list[list[str]]:
    """Words of every indented line that is a command, without comments."""
    lines = re.findall(r"^ {4}((?:\w+=\S* )*(?:make|wandb|python|\.venv/bin/python) .*)$", text, flags=re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def test_the_tree_names_what_is_there() -> None:
    tree = README.split("## Where things are")[1].split("##")[0]
    named = set(re.findall(r"^ {4}([\w.]+/?) ", tree, flags=re.MULTILINE))
    assert all((ROOT / name).exists() for name in named), named
    folders = {f"{path.parts[0]}/" for path in (file.relative_to(ROOT) for file in ROOT.glob("*/*.py"))}
    assert folders | {"sweeps/", "docs/"} <= named


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_and_picture_of_a_page_exists(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert missing == []


COMMAND = re.compile(r"python -m ((?:agent|analysis|bench|common|data|server|study)(?:\.[a-z_]+)*)")
LASTING = (
    *("agent.train", "agent.predict", "agent.export", "agent.lint", "agent.fleet", "data", "data.puzzle"),
    *("data.augment", "data.synthetic", "server", "analysis", "analysis.table", "analysis.figures", "analysis.grids"),
    *("analysis.hard", "analysis.report", "analysis.notebooks", "analysis.export", "analysis.evidence", "study"),
)
"""Commands that people have in their scripts."""


def starts(module: str) -> bool:
    path = ROOT / module.replace(".", "/")
    file = path.with_suffix(".py")
    return (path / "__main__.py").exists() or (file.exists() and '__name__ == "__main__"' in file.read_text())


def test_every_command_that_a_page_a_message_or_a_template_names_exists() -> None:
    folders = ("agent", "analysis", "bench", "common", "data", "docs", "server", "study", "sweeps")
    files = [ROOT / "Makefile", *PAGES]
    files += [file for room in folders for kind in ("py", "html", "yaml") for file in (ROOT / room).rglob(f"*.{kind}")]
    named = {(name, file) for file in files for name in COMMAND.findall(file.read_text())}
    assert [(name, file) for name, file in named if not starts(name)] == []


@pytest.mark.parametrize("module", LASTING)
def test_a_command_keeps_its_name(module: str) -> None:
    assert starts(module)


def test_make_alone_lists_every_target_but_itself() -> None:
    printed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, flags=re.MULTILINE)
    assert phony
    assert set(re.findall(r"^make ([\w-]+)", printed, flags=re.MULTILINE)) == set(phony[1].split()) - {"help"}


def test_the_make_targets_and_variables_of_the_readme_exist() -> None:
    for words in commands(README):
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", MAKEFILE, flags=re.MULTILINE), words
            assert all(f"$({word.split('=')[0]})" in MAKEFILE for word in words[2:]), words


def test_versions_are_pinned_in_one_place() -> None:
    pins = (ROOT / "requirements.txt").read_text()
    assert all("==" in line for line in pins.splitlines() if line.strip())
    for name in ("Makefile", "environment.yml", "pyproject.toml"):
        assert not re.findall(r"[a-z]==\d", (ROOT / name).read_text()), name
    listed = re.findall(r"^([A-Za-z][\w-]*)", (ROOT / "requirements.in").read_text(), flags=re.MULTILINE)
    pinned = {line.split("==")[0].lower() for line in pins.splitlines()}
    assert {name.lower() for name in listed} <= pinned


def test_no_page_names_a_package_registry_or_a_folder_of_one_machine() -> None:
    for page in PAGES:
        assert not re.search(r"pypi\.org|files\.pythonhosted|/work/|/root/|/home/\w", page.read_text()), page
