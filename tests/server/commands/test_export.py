"""`export`: the tables and the JSON hold what the folder holds."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from server.__main__ import main
from server.store import Store, projects, runs, streams, sweeps


def export(folder: Path, out: Path) -> int:
    return main(["export", "lab/pieces", "--dir", str(folder), "--out", str(out)])


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_the_tables_have_every_run_and_every_row(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(source, tmp_path / "out") == 0
    assert re.findall(r"(\d+) (runs|rows|artifact)", capsys.readouterr().out) == [
        *(("3", "runs"), ("2506", "rows"), ("2", "artifact"))
    ]
    table = pq.read_table(tmp_path / "out" / "runs.parquet").to_pylist()
    assert [(row["name"], row["state"], row["sweep"], row["config.lr"]) for row in table] == [
        ("done", "finished", None, 0.5),
        ("shot", "killed", None, 0.5),
        ("swept", "finished", "sweepone", 0.5),
    ]
    assert table[0]["tags"] == ["a"]
    assert table[0]["started_at"].timestamp() == 3.0
    rows = pq.read_table(tmp_path / "out" / "history.parquet").to_pylist()
    done = [row for row in rows if row["run"] == "done"]
    assert [row["x"] for row in done] == [i / 7 for i in range(2500)]
    assert [row["line"] for row in done] == [row["step"] for row in done] == list(range(2500))
    assert all(math.isnan(row["bad"]) for row in rows)


def test_a_key_of_two_types_becomes_json_text_and_a_missing_one_is_null(source: Path, tmp_path: Path) -> None:
    store = Store(source)
    with store.write() as db:
        project = projects.find(db, "lab", "pieces")
        assert project is not None
        mixed = runs.insert(db, project["id"], "mixed", "finished", 9.0, config='{"lr": {"value": "auto"}}')
        streams.put_history(db, mixed, 0, ['{"_step": 0, "x": "high"}', '{"_step": 1, "m": {"a": [1]}, "b": true}'])
    store.close()
    assert export(source, tmp_path / "out") == 0
    rows = pq.read_table(tmp_path / "out" / "history.parquet").to_pylist()
    assert [(row["x"], row["m"], row["b"]) for row in rows[-2:]] == [("high", None, None), (None, '{"a": [1]}', True)]
    assert rows[1]["x"] == str(1 / 7)
    table = pq.read_table(tmp_path / "out" / "runs.parquet").to_pylist()
    assert [row["config.lr"] for row in table] == ["0.5", "0.5", "0.5", "auto"]


def test_the_json_has_configs_sweeps_files_and_manifests(source: Path, tmp_path: Path) -> None:
    store = Store(source)
    with store.write() as db:
        project = projects.find(db, "lab", "pieces")
        assert project is not None
        swept = runs.find(db, project["id"], "swept")
        assert swept is not None
        sweeps.suggest(db, swept["sweep_id"], swept["id"], {"lr": 2}, "server", None)
        sweeps.record_stop(db, swept["id"], "too slow")
    store.close()
    assert export(source, tmp_path / "out") == 0
    out = tmp_path / "out"
    assert read(out / "configs.json")["done"] == {"lr": 0.5}
    assert read(out / "summaries.json")["shot"] == {"_step": 2, "x": 2 / 7, "bad": "NaN"}
    assert [file["name"] for file in read(out / "files.json")["done"]] == ["config.yaml", "media/a b.txt"]
    (sweep,) = read(out / "sweeps.json")
    assert (sweep["suggestions"][0]["params"], sweep["suggestions"][0]["stop_reason"]) == ({"lr": 2}, "too slow")
    first, second = read(out / "artifacts.json")
    assert (first["name"], first["aliases"], first["logged_by"]) == ("model:v0", ["best"], "done")
    assert second["used_by"] == ["swept"]
    assert second["manifest"]["old"]["ref"].startswith("wandb-artifact://")
    assert first["manifest"]["w"]["size"] == len(b"weights 0")


def test_a_folder_that_exists_is_not_written_over(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    assert export(source, tmp_path / "out") == 1
    assert "exists already: give another --out." in capsys.readouterr().err
