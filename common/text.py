"""Text for people: clocks, sizes, counted nouns, lists of names, natural order."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence

TERMINAL_WIDTH = 100
"""Most columns of the output of commands."""


def clock(seconds: float) -> str:
    """75 → 1:15; 3700 → 1:01:40."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def size(n_bytes: float) -> str:
    """950 → 950 B; 1500 → 1.5 kB; in powers of 1000."""
    if n_bytes < 1000:
        return f"{n_bytes:.0f} B"
    power = min(int(math.log10(n_bytes) // 3), 4)
    return f"{n_bytes / 1000**power:.1f} {' kMGT'[power]}B"


def plural(n: int, noun: str) -> str:
    """1, "run" → 1 run; 2, "run" → 2 runs."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def sentence_case(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]


def some(names: Iterable[str], most: int = 4) -> str:
    """The first names, and the number of the others."""
    listed = list(names)
    more = len(listed) - most
    mark = "; " if any("," in name for name in listed[:most]) else ", "
    return mark.join(listed[:most]) + (f" and {more} more" if more > 0 else "")


def short_names(names: Iterable[str], width: int) -> dict[str, str]:
    """Every name in at most `width` characters, at least 3; different names stay different.

    Long ones are cut in the middle; if that hides a difference, at the next place that does not, or at both ends; if
    there is no such place, they are numbered.
    """
    known = list(dict.fromkeys(names))
    numbered = [f"{number}: {name}"[: width - 1] + "…" for number, name in enumerate(known, start=1)]
    short = next((tried for tried in cuts(known, width) if len(set(tried)) == len(known)), numbered)
    return dict(zip(known, short, strict=True))


def cuts(names: Sequence[str], width: int) -> Iterator[list[str]]:
    """The names with the long ones cut to `width` characters: in the middle, next to it, …, and at both ends."""
    kept, longest = width - 1, max(map(len, names), default=0)
    for head in sorted(range(kept + 1), key=lambda head: abs(2 * head - kept)):
        tail = kept - head
        yield [name if len(name) <= width else f"{name[:head]}…{name[len(name) - tail :]}" for name in names]
    for start in range(1, longest - kept):
        yield [name if len(name) <= width else f"…{name[start : start + width - 2]}…" for name in names]


def is_utf8(text: str) -> bool:
    """Whether a text can be sent and saved; the name of a file may have bytes in it that are none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def natural_order(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """A key by which image-2 comes before image-10, and letters of either case lie together."""
    parts = [(part.isdecimal(), part.lstrip("0")) for part in re.findall(r"\d+|\D+", name.casefold())]
    return [(is_number, len(part) if is_number else 0, part) for is_number, part in parts], name
