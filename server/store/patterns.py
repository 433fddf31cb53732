"""Regular expressions from outside. Python's can take exponential time, and nothing can interrupt one.

Those that could take exponential time are refused, and so is a text that is too long for the rest of them.
"""

import functools
import re

from server.store.database import Refused

MAX_LENGTH = 300
MAX_QUANTIFIERS = 12  # each `?` doubles the time at worst
MAX_UNBOUNDED = 3  # each one multiplies the time by the length of the text
MAX_STEPS = 3e7  # of one search: some tenths of a second at worst
_TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?:\?(?:P?<\w+>|<?[=!]|[a-zA-Z-]*:?))?|[*+?]|\{\d*,?\d*\}|.", re.DOTALL
)


@functools.lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """Raises Refused for what is no regular expression, or one that may take too long."""
    if not isinstance(pattern, str) or len(pattern) > MAX_LENGTH:
        raise Refused(f"a regular expression is a text of at most {MAX_LENGTH} characters, not {pattern!r}")
    try:
        found = re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        raise Refused(f"not a regular expression: {pattern!r}") from None
    if found.flags & re.VERBOSE or _repeats(pattern) is None:
        raise Refused(
            f"the regular expression {pattern!r} may take too long: no repeated groups that hold * + ? {{}} or |,"
            f" and at most {MAX_UNBOUNDED - 1} of * and + in it ({MAX_UNBOUNDED} after ^)"
        )
    return found


def matches(pattern: str, text: object) -> bool:
    """Whether `pattern` is found in a text. Raises Refused as `compiled`, and for a text that may take too long."""
    found = compiled(pattern)
    if not isinstance(text, str):
        return False
    unbounded = _repeats(pattern) or 0
    if len(text) ** unbounded > MAX_STEPS:
        raise Refused(f"the regular expression {pattern!r} may take too long on {len(text)} characters")
    return found.search(text) is not None


@functools.lru_cache(maxsize=256)
def _repeats(pattern: str) -> int | None:
    """To what power of a text's length the time may grow; None for too many repeats, or repeats that repeat."""
    groups = [False]  # whether each open group holds a quantifier or an alternative
    closed = quantifiers = unbounded = 0
    last_closed_holds = False
    for token in _TOKEN.findall(_core(pattern)):
        if token[0] in "*+?{" and token != "{":
            if last_closed_holds and closed and token != "?":
                return None
            groups[-1] = True
            quantifiers += 1
            unbounded += token in "*+" or (token[0] == "{" and not token.strip("{}").isdecimal())
        elif token.startswith("("):
            groups.append(False)
        elif token == "|":
            groups[-1] = True
        closed = token == ")" and len(groups) > 1
        if closed:
            last_closed_holds = groups.pop()
            groups[-1] |= last_closed_holds
    searched = 0 if pattern.startswith("^") else 1
    allowed = quantifiers <= MAX_QUANTIFIERS and unbounded + searched <= MAX_UNBOUNDED
    return unbounded + searched if allowed else None


def _core(pattern: str) -> str:
    """Without `.*` at both ends: there they cost nothing."""
    return pattern.removeprefix("^").removeprefix(".*").removesuffix("$").removesuffix(".*")
