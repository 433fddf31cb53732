"""`pip install --requirement FILE` with a line of progress: it takes minutes, and pip alone is silent."""

import argparse
import contextlib
import re
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

SAY_EVERY_SECONDS = 10.0
LARGE = re.compile(r" +(?:Downloading|Processing) \S*?([\w.]+)-\S+( \(\d{3,}(?:\.\d+)? MB\))")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status of pip; its complaints go to stderr as they come."""
    parser = argparse.ArgumentParser(prog="python -m common.install", description=__doc__)
    parser.add_argument("requirements", help="file of pinned packages")
    requirements = parser.parse_args(arguments).requirements
    try:
        text = Path(requirements).read_text()
    except OSError as error:
        parser.error(f"{requirements}: {error.strerror}")
    total = len(re.findall(r"^[\w.-]+==", text, flags=re.MULTILINE))
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    with subprocess.Popen(
        [*command, "--requirement", requirements], stdout=subprocess.PIPE, text=True, errors="replace"
    ) as pip:
        assert pip.stdout is not None
        try:
            follow(pip, total)
        except KeyboardInterrupt:
            pip.terminate()
            return 130
    return pip.returncode


def follow(pip: "subprocess.Popen[str]", total: int) -> None:
    """Print, until pip is done, the number of fetched packages, then that of installed ones."""
    assert pip.stdout is not None
    before, fetched, last = count_packages(), 0, 0.0
    for line in pip.stdout:
        fetched += line.startswith("Collecting ")
        if line.startswith("Installing collected packages"):
            break
        large = LARGE.match(line)
        if large or (fetched and time.monotonic() - last > SAY_EVERY_SECONDS):
            last = time.monotonic()
            print(f"  fetching package {fetched} of {total}{f': {large[1]}{large[2]}' if large else ''}", flush=True)
    while pip.poll() is None:
        print(f"  installed {count_packages() - before} of {total} packages", flush=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            pip.wait(SAY_EVERY_SECONDS)


def count_packages() -> int:
    """Packages in this environment."""
    return len(list(Path(sysconfig.get_path("purelib")).glob("*.dist-info")))


if __name__ == "__main__":
    sys.exit(main())
