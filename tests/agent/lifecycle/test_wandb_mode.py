"""Modes in which a run says nothing to its server."""

from pathlib import Path

import pytest

from agent.lifecycle import wandb_mode
from agent.lint import main
from tests.agent.lint.sweep_text import CLEAN


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"WANDB_MODE": "offline"}, "WANDB_MODE=offline: the server of a sweep would hear nothing"),
        ({"WANDB_MODE": "dryrun"}, "WANDB_MODE=dryrun: "),
        ({"WANDB_MODE": "disabled", "WANDB_DISABLED": "false"}, "WANDB_MODE=disabled: "),
        ({"WANDB_DISABLED": "True"}, "WANDB_DISABLED=True: "),
        ({"WANDB_MODE": "Offline"}, "WANDB_MODE is 'Offline', which the client does not know"),
        ({"WANDB_MODE": "online", "WANDB_DISABLED": "no"}, ""),
        ({"WANDB_MODE": "shared"}, ""),
        ({}, ""),
    ],
)
def test_what_silences_runs_is_refused(environ: dict[str, str], sentence: str, tmp_path: Path) -> None:
    found = wandb_mode.why_offline(environ | {"WANDB_DIR": str(tmp_path)})
    assert found.startswith(sentence)
    assert bool(found) == bool(sentence)


def test_the_settings_file_of_the_client_counts_unless_the_environment_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "settings").write_text("[default]\nmode = offline\n")
    here = {"WANDB_DIR": str(tmp_path)}
    assert wandb_mode.why_offline(here).endswith("; `wandb online` takes it back")
    assert wandb_mode.why_offline(here | {"WANDB_MODE": "online"}) == ""


def test_lint_refuses_before_it_reads_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sweep.yaml").write_text(CLEAN)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert main([str(tmp_path / "sweep.yaml")]) == 2
    printed = capsys.readouterr()
    assert (printed.out, len(printed.err.splitlines())) == ("", 1)
