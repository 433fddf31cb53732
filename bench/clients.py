"""Releases of the wandb client against the embedded server: `python -m bench.clients [--releases 0.17.9 …]`.

Each release is installed into an environment of its own under `.cache/clients/` (about 170 MB and 20 s each, once), and
drives a server of its own through the steps of `bench/harness/client_steps.py`. Prints the table in server/README.md,
and the failures below it. `--validate` checks instead, without driving, every GraphQL text of the installed releases
against the schema.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from graphql import validate

from bench.harness.client_operations import operations, parse_or_none
from bench.harness.server_process import run_server
from common.environment import CACHE, ROOT
from server.graphql.engine import schema

ENVIRONMENTS = CACHE / "clients"
RELEASES = (
    *("0.17.9", "0.18.7", "0.19.11", "0.20.1", "0.21.4", "0.22.3", "0.23.1", "0.24.2", "0.25.1", "0.26.1"),
    *("0.27.2", "0.28.2", "0.29.0", "0.30.0", "0.31.0"),
)
# Masks up to 0.21 break with Pillow 12; 0.17 imports pkg_resources, which newer setuptools have not.
BESIDE = ("pillow<11", "setuptools<80", "numpy<2")
STEPS = ROOT / "bench" / "harness" / "client_steps.py"
LIMIT = 600  # seconds for all the steps of one release


def python_of(release: str) -> Path:
    return ENVIRONMENTS / release / "bin" / "python"


def package_of(release: str) -> Path:
    [package] = (ENVIRONMENTS / release / "lib").glob("python3*/site-packages/wandb")
    return package


def install(release: str) -> None:
    """Makes the environment if it is not there yet. Raises CalledProcessError if pip fails."""
    done = ENVIRONMENTS / release / "installed"
    if done.exists():
        return
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(ENVIRONMENTS / release)], check=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python"]
    words = [str(python_of(release)), "install", "--no-compile", f"wandb=={release}", *BESIDE]
    subprocess.run([*pip, *words], check=True, capture_output=True, text=True)
    done.touch()


def drive(release: str) -> dict[str, str]:
    """Step → its failure; "" if it worked."""
    with tempfile.TemporaryDirectory() as name, run_server(Path(name) / "server") as (url, _):
        key = (Path(name) / "server" / "api-key").read_text().strip()
        with (Path(name) / "output").open("w+") as output:
            process = subprocess.Popen(
                [str(python_of(release)), str(STEPS)],
                cwd=name,
                env=environment(Path(name), release, url, key),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code: int | None = process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # orphans of a step
                process.wait()
            output.seek(0)
            lines = output.read().splitlines()
    results = dict(json.loads(line) for line in lines if line.startswith('["'))
    if code != 0:
        end = f"no end within {LIMIT} s" if code is None else f"exit code {code}"
        results["end"] = " ".join([end, *lines[-5:]])
    return results


def environment(home: Path, release: str, url: str, key: str) -> dict[str, str]:
    """Environment cut off from the person's own settings, and from that of this program."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "PYTHON", "VIRTUAL"))}
    folders = {
        name: str(home) for name in ("HOME", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_DIR")
    }
    return (
        kept
        | folders
        | {
            "PATH": f"{python_of(release).parent}:{os.environ['PATH']}",
            "NETRC": str(home / ".netrc"),
            "WANDB_BASE_URL": url,
            "WANDB_API_KEY": key,
            "WANDB_PROJECT": "clients",
            "WANDB_SILENT": "true",
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "1",
            "WANDB_X_DISABLE_STATS": "true",
            "WANDB__DISABLE_STATS": "true",
            "OPENBLAS_NUM_THREADS": "1",
        }
    )


def invalid_operations(release: str) -> dict[str, str]:
    """Operations of an installed release that the schema does not allow → the reason."""
    problems = {}
    for name, texts in operations(package_of(release)).items():
        for text in texts:
            document = parse_or_none(text)
            errors = validate(schema(), document, hide_suggestions=True) if document is not None else []
            if errors:
                problems[name] = errors[0].message
    return problems


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m bench.clients", description=__doc__)
    parser.add_argument("--releases", nargs="+", default=RELEASES)
    parser.add_argument("--validate", action="store_true")
    options = parser.parse_args(arguments)
    failed: dict[str, str] = {}
    for release in options.releases:
        install(release)
        if options.validate:
            for name, why in invalid_operations(release).items():
                print(f"{release} {name}: {why}", flush=True)
            continue
        results = drive(release)
        if release == options.releases[0]:
            print(f"| release | {' | '.join(results)} |\n|{'---|' * (len(results) + 1)}")
        words = ["no" if problem else "yes" for problem in results.values()]
        print(f"| {release} | {' | '.join(words)} |", flush=True)
        failed |= {f"{release} {step}": problem for step, problem in results.items() if problem}
    for step, problem in failed.items():
        print(f"{step}: {problem}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
