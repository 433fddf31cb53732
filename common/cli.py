"""Command lines: options that are named when they are wrong, numbers with their rule, Ctrl-C at any time."""

import argparse
import io
import math
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, NoReturn

INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that takes no abbreviations and names an unknown option before it asks for a missing one."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **{"allow_abbrev": False, **options})

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        escape_unprintable()
        words = sys.argv[1:] if args is None else list(args)
        if not any(action.nargs in (argparse.REMAINDER, argparse.PARSER) for action in self._actions):
            options = words[: words.index("--")] if "--" in words else words
            unknown = [word for word in options if word.startswith("--") and not self._knows(word)]
            if unknown:
                self.error(f"there is no option {unknown[0].partition('=')[0]}; see --help")
        return super().parse_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        """Exit with one line and status 2; argparse would print the whole usage before it."""
        self.exit(2, f"{self.prog}: {message}\n")

    def _knows(self, word: str) -> bool:
        return word.partition("=")[0] in self._option_string_actions


def whole_number(least: int = 1) -> Callable[[str], int]:
    """The type of an option that is a whole number from `least` on."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} on")
        return int(text)

    return read


def number(least: float = -math.inf, most: float = math.inf, *, above: float = -math.inf) -> Callable[[str], float]:
    """The type of an option that is a finite number from `least` to `most`, and greater than `above`."""
    if above > -math.inf:
        rule = f"above {above:g}"
    else:
        rule = f"from {least:g} " + (f"to {most:g}" if most < math.inf else "on")

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (least <= value <= most and value > above and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number {rule}")
        return value

    return read


def escape_unprintable() -> None:
    """Have stdout and stderr print as an escape what their encoding lacks: any file may have any name."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def exit_code(
    program: str, command: Callable[[], int], refusals: Mapping[type[Exception], int], interrupted: str = "interrupted"
) -> int:
    """The code that `command` returns; after one line on stderr, that of the error which it raised, or 130 (Ctrl-C)."""
    try:
        return command()
    except tuple(refusals) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return next(code for kind, code in refusals.items() if isinstance(error, kind))
    except KeyboardInterrupt:
        print(f"{program}: {interrupted}", file=sys.stderr)
        return INTERRUPTED


def end_quietly() -> None:
    """Answer Ctrl-C while a command is still importing with one line and exit status 130, not a traceback.

    To be called when its package is imported; does nothing outside of `python -m`.
    Once the command's own module calls its `main`, Ctrl-C raises KeyboardInterrupt again.
    """
    if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def need_temporary_folder() -> None:
    """End `python -m` with one line where no folder takes temporary files: importing wandb would fail with a traceback.

    To be called when its package is imported; does nothing outside of `python -m`.
    """
    if sys.argv[:1] != ["-m"]:
        return
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        reason = "no folder takes temporary files: free some disk, or name a folder in TMPDIR"
        print(f"{_command()}: {reason}", file=sys.stderr)
        sys.exit(1)


def _command() -> str:
    """The module that `python -m` was told to run."""
    words = sys.orig_argv
    return words[words.index("-m") + 1] if "-m" in words[:-1] else "the command"


def _leave(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt once the command's module calls a function; while it imports and defines, end."""
    command = sys.modules["__main__"]
    called = None
    while frame and not (frame.f_globals is vars(command) and frame.f_code.co_name == "<module>"):
        called, frame = frame, frame.f_back
    is_over = frame is None and hasattr(command, "main")
    is_called = frame and called and "importlib" not in called.f_code.co_filename
    if is_over or is_called:
        raise KeyboardInterrupt
    print(f"{_command()}: ended before it began", file=sys.stderr, flush=True)
    os._exit(130)
