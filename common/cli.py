"""Command lines: options that are named when they are wrong, and numbers with their rule."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that takes no abbreviations and names an unknown option before it asks for a missing one."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **{"allow_abbrev": False, **options})

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        words = sys.argv[1:] if args is None else list(args)
        if not any(action.nargs in (argparse.REMAINDER, argparse.PARSER) for action in self._actions):
            options = words[: words.index("--")] if "--" in words else words
            unknown = [word for word in options if word.startswith("--") and not self._knows(word)]
            if unknown:
                self.error(f"there is no option {unknown[0].partition('=')[0]}; see --help")
        return super().parse_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        """One line and exit status 2; argparse would print the whole usage before it."""
        self.exit(2, f"{self.prog}: {message}\n")

    def _knows(self, word: str) -> bool:
        return word.partition("=")[0] in self._option_string_actions


def whole_number(least: int = 1) -> Callable[[str], int]:
    """The type of an option that is a whole number from `least` on."""

    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} on")
        return int(text)

    return number
