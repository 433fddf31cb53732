"""Ctrl-C while a command is still importing: one line and exit status 130, where Python would print a traceback."""

import os
import signal
import sys
from types import FrameType


def end_quietly() -> None:
    """To be called when the package of a command is imported; does nothing where no `python -m` has begun.

    Once the command's own module has its `main`, Ctrl-C raises KeyboardInterrupt again.
    """
    if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    if hasattr(sys.modules["__main__"], "main"):
        raise KeyboardInterrupt
    words = sys.orig_argv
    command = words[words.index("-m") + 1] if "-m" in words[:-1] else "the command"
    print(f"{command}: ended before it began", file=sys.stderr, flush=True)
    os._exit(130)
