"""Regular expressions of clients, matched by RE2: in time linear in the text, whatever the pattern.

Linear is not yet fast: a step is one instruction of the compiled pattern on one byte, about 40 ns where RE2's automaton
does not fit into its memory, and nothing can interrupt a search. So the product of both is bounded as well.
"""

import functools
from typing import Any

import re2

from server.store.errors import Refused

MAX_LENGTH = 10_000  # characters: alternatives of hundreds of run ids
MAX_MEMORY = 1 << 19  # bytes of one compiled pattern; re2 keeps 128 of them
MAX_STEPS = 2e7  # of one search: 0.8 s at worst
OPTIONS = "ims"
"""Letters of `$options`, as in MongoDB; its x (white space and comments in a pattern) RE2 does not know."""


def compile_pattern(pattern: Any) -> Any:
    """The compiled pattern. Raises Refused if RE2 does not know its syntax, as of lookaround, or if it is too large."""
    if not isinstance(pattern, str) or len(pattern) > MAX_LENGTH:
        raise Refused(f"a regular expression is a text of at most {MAX_LENGTH} characters, not {pattern!r:.100}")
    return _compile(pattern)


@functools.lru_cache(maxsize=64)
def _compile(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem, options.log_errors, options.never_capture = MAX_MEMORY, False, True
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise Refused(f"the regular expression {pattern!r:.100} is not understood: {_reason(error)}") from None
    except UnicodeEncodeError:
        raise Refused(f"the regular expression {pattern!r:.100} has half a character") from None


def _reason(error: Exception) -> str:
    """RE2's own reason: `invalid perl operator: (?=`."""
    (text,) = error.args
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


def with_options(pattern: Any, options: Any) -> Any:
    """The pattern with MongoDB's `$options` in it. Raises Refused."""
    if not isinstance(options, str) or set(options) - set(OPTIONS):
        raise Refused(f"$options takes letters of {OPTIONS!r}, not {options!r:.100}")
    return f"(?{options}){pattern}" if options and isinstance(pattern, str) else pattern


def matches(pattern: str, text: object) -> bool:
    """Whether `pattern` is found in a text. Raises Refused like `compile_pattern`, and for a slow search."""
    found = compile_pattern(pattern)
    if not isinstance(text, str):
        return False
    if found.programsize * len(text) > MAX_STEPS:
        raise Refused(f"the regular expression {pattern!r:.100} may take too long on {len(text)} characters")
    return found.search(text) is not None
