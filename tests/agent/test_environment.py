"""What `import agent` puts into the environment, unless the person has put something else there."""

import json
import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("given", [{}, {"WANDB_ERROR_REPORTING": "true", "OMP_WAIT_POLICY": "ACTIVE"}])
def test_the_client_reports_nothing_to_its_maker_and_threads_that_wait_do_not_spin(given: dict[str, str]) -> None:
    """Else two trials with torch's default threads on one machine take a hundred times as long."""
    defaults = {"WANDB_ERROR_REPORTING": "false", "OMP_WAIT_POLICY": "PASSIVE"}
    env = {name: value for name, value in os.environ.items() if name not in defaults} | given
    code = "import agent, json, os; print(json.dumps(dict(os.environ)))"
    found = json.loads(subprocess.run([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, check=True).stdout)
    assert {name: found[name] for name in defaults} == defaults | given
