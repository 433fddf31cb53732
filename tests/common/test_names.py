"""Names that become paths: what passes, what is refused, and in which words."""

import pytest

from common.names import BadName, check_file_path, check_name


@pytest.mark.parametrize("name", ["a", "k3x9", "my run", "größe", "a.b", "...", "-x", "x" * 128, "名前"])
def test_a_name_passes_unchanged(name: str) -> None:
    assert check_name("run id", name) == name


BAD = ["", " ", ".", "..", "../..", "a/b", "a\\b", "a\nb", "a\0", "a%2f", "C:", "a#b", "a?b", "x" * 129, "\ud800"]


@pytest.mark.parametrize("name", [*BAD, "\u2028", "😀" * 65])
def test_a_name_that_would_leave_its_place_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(BadName, match=r"^run id ") as refusal:
        check_name("run id", name)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("path", ["a", "media/images/a.png", "a b/c", "a\\b", "a\nb", "...", "a..b/c", "größe.png"])
def test_a_path_inside_its_folder_passes(path: str) -> None:
    assert check_file_path("file", path) == path


@pytest.mark.parametrize(
    "path",
    ["", "/", ".", "..", "/etc/hostname", "../x", "a/../b", "a/./b", "a//b", "a/", "./a", "a\0b", "\ud800", "x" * 256],
)
def test_a_path_that_leads_elsewhere_is_refused_in_one_line(path: str) -> None:
    with pytest.raises(BadName, match=r"^file ") as refusal:
        check_file_path("file", path)
    assert str(refusal.value).isprintable()
