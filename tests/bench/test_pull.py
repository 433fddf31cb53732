from pathlib import Path

from bench.pull import GREETINGS, measure


def test_a_second_pull_asks_the_server_for_the_list_and_nothing_else(tmp_path: Path) -> None:
    (_, first, epochs), (_, second, again) = measure(6, 3, 0.0, tmp_path)
    assert epochs == again == 18
    assert first["RunOutputArtifacts"] == 6
    assert set(second) - set(GREETINGS) == {"Runs"}
    assert second["Runs"] == 1
