"""One command of the analysis, with the embedded server beside it if the last study used that one and it is stopped.

`python -m study.look analysis.report [ARGUMENT…]`: what `make report` and `make notebooks` start.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from study.login import embedded, named_by
from study.plan import StudyError

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str], latest: Path = ROOT / "results" / "latest") -> int:
    """Exit status of the command; 1 and one sentence if the server does not start."""
    try:
        with logged_in(latest / "study.json", os.environ) as login:
            return subprocess.run(
                [sys.executable, "-m", *arguments], cwd=ROOT, env={**os.environ, **login}
            ).returncode
    except StudyError as error:
        print(f"study: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


@contextlib.contextmanager
def logged_in(record: Path, environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """What to add to the environment: nothing if it names a server itself, or `record` names no embedded one.

    A record that cannot be understood is left for the analysis to complain about.
    """
    folder = None
    if record.is_file() and not named_by(environ):
        with contextlib.suppress(ValueError, AttributeError):
            folder = json.loads(record.read_text()).get("server_dir")
    if not folder or not Path(folder).is_dir():
        yield {}
        return
    with embedded(Path(folder), ROOT) as server:
        yield server.login


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
