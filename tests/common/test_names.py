"""Names that become paths: what passes, what is refused, and in which words."""

from collections.abc import Callable

import pytest

from common.names import BadName, check_file_path, check_name

NAMES = ["a", "k3x9", "my run", "größe", "a.b", "...", "-x", "x" * 128, "名前"]
PATHS = ["a", "media/images/a.png", "a b/c", "a\\b", "a\nb", "...", "a..b/c", "größe.png"]


@pytest.mark.parametrize(
    ("check", "text"), [*((check_name, name) for name in NAMES), *((check_file_path, path) for path in PATHS)]
)
def test_a_name_or_a_path_inside_its_folder_passes_unchanged(check: Callable[[str, str], str], text: str) -> None:
    assert check("it", text) == text


BAD_NAMES = ["", " ", ".", "..", "../..", "a/b", "a\\b", "a\nb", "a\0", "a%2f", "C:", "a#b", "a?b", "x" * 129, "\ud800"]
BAD_PATHS = ["", "/", ".", "..", "/etc/hostname", "../x", "a/../b", "a/./b", "a//b", "a/", "./a", "a\0b", "\ud800"]


@pytest.mark.parametrize(
    ("check", "text"),
    [
        *((check_name, name) for name in (*BAD_NAMES, "\u2028", "😀" * 65)),
        *((check_file_path, path) for path in (*BAD_PATHS, "x" * 256)),
    ],
)
def test_what_would_leave_its_place_is_refused_in_one_line(check: Callable[[str, str], str], text: str) -> None:
    with pytest.raises(BadName, match=r"^it ") as refusal:
        check("it", text)
    assert str(refusal.value).isprintable()
