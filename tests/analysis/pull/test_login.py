from pathlib import Path

import pytest

from analysis import AnalysisError
from analysis.pull.login import Login, RunsPath, parse_path, resolve
from common.study_record import StudyRecord

LOCAL = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lab/puzzle", RunsPath("lab", "puzzle")),
        ("lab/puzzle/ab12cd34", RunsPath("lab", "puzzle", "ab12cd34")),
        ("lab/puzzle/sweeps/ab12cd34", RunsPath("lab", "puzzle", "ab12cd34")),
        ("https://wandb.ai/lab/puzzle", RunsPath("lab", "puzzle", None, "https://api.wandb.ai")),
        ("https://wandb.ai/lab/puzzle/workspace?nw=x", RunsPath("lab", "puzzle", None, "https://api.wandb.ai")),
        (f"{LOCAL}/lab/my%20puzzle/sweeps/ab12cd34", RunsPath("lab", "my puzzle", "ab12cd34", LOCAL)),
    ],
)
def test_a_path_or_a_web_address_names_a_project_or_a_sweep(text: str, expected: RunsPath) -> None:
    assert parse_path(text) == expected


@pytest.mark.parametrize("text", ["", "puzzle", "lab/puzzle/runs/ab12cd34", "lab/puzzle/sweeps", "a/b/c/d", LOCAL])
def test_anything_else_is_refused_in_one_sentence_that_shows_the_forms(text: str) -> None:
    with pytest.raises(AnalysisError, match="ENTITY/PROJECT/SWEEP") as refusal:
        parse_path(text)
    assert repr(text) in str(refusal.value)


def recorded(results: Path, name: str, *paths: str, base_url: str = "", server_dir: Path | None = None) -> StudyRecord:
    (results / name).mkdir(parents=True, exist_ok=True)
    record = StudyRecord(paths, base_url, str(server_dir) if server_dir else None)
    record.save(results / name)
    return record


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three studies: one on an embedded server that answers on port 8080, the last on the same one, one elsewhere."""
    server = tmp_path / "server"
    server.mkdir()
    (server / "api-key").write_text("server-key\n")
    (server / "address").write_text(LOCAL + "\n")
    recorded(tmp_path, "one", "local/puzzle/s1", base_url="http://127.0.0.1:1", server_dir=server)
    recorded(tmp_path, "latest", "local/puzzle/s2", "local/puzzle/s3", base_url=LOCAL, server_dir=server)
    recorded(tmp_path, "other", "lab/puzzle/s4", base_url="http://lab:9000/")
    return tmp_path


def test_without_a_path_the_last_study_is_meant(results: Path) -> None:
    paths, login = resolve([], {}, results)
    assert paths == [RunsPath("local", "puzzle", "s2"), RunsPath("local", "puzzle", "s3")]
    assert login == Login(LOCAL, "server-key")


S1, S2, ELSEWHERE = "local/puzzle/s1", "local/puzzle/s2", "http://lab:9000"
KEY = {"WANDB_API_KEY": "k"}


@pytest.mark.parametrize(
    ("given", "environ", "login"),
    [
        *(
            (given, environ, Login(LOCAL, "server-key"))
            for given in ([], [S1], [S1, S2])
            for environ in ({}, KEY, KEY | {"WANDB_BASE_URL": ELSEWHERE})
        ),
        ([S1], {"WANDB_API_KEY": "mine", "WANDB_BASE_URL": LOCAL + "/"}, Login(LOCAL, "mine")),
        (["lab/puzzle/s4"], KEY, Login(ELSEWHERE, "k")),
        (["lab/puzzle/s4"], KEY | {"WANDB_BASE_URL": ELSEWHERE + "//"}, Login(ELSEWHERE, "k")),
        (["a/b"], KEY | {"WANDB_BASE_URL": "http://other/"}, Login("http://other", "k")),
        (["a/b"], KEY, Login(None, "k")),
        (["a/b"], {}, Login(LOCAL, "server-key")),
        (["a/b"], {"WANDB_BASE_URL": LOCAL + "/"}, Login(LOCAL, "server-key")),
        (["https://wandb.ai/a/b"], KEY, Login("https://api.wandb.ai", "k")),
    ],
)
def test_the_server_is_the_studys_the_addresss_the_environments_or_the_last_ones(
    results: Path, given: list[str], environ: dict[str, str], login: Login
) -> None:
    """A study that an embedded server ran has that server's key; a key alone means the cloud."""
    assert resolve(given, environ, results)[1] == login


@pytest.mark.parametrize(
    ("given", "environ", "words"),
    [
        *(
            (
                [path],
                KEY | {"WANDB_BASE_URL": "http://elsewhere"},
                f"{ELSEWHERE}, but WANDB_BASE_URL is http://elsewhere",
            )
            for path in ("lab/puzzle/s4", "http://lab:9000/a/b")
        ),
        (["lab/puzzle/s4", S1], KEY, "lie on 2 servers"),
        (["https://wandb.ai/a/b", f"{LOCAL}/a/b"], {}, "one server at a time"),
        (["a/b"], {"WANDB_BASE_URL": "http://other"}, "set WANDB_API_KEY"),
        (["a/b"], KEY | {"WANDB_BASE_URL": "127.0.0.1:8080"}, "is no address of a server"),
    ],
)
def test_a_key_is_sent_to_its_own_server_only_and_one_server_is_asked(
    results: Path, given: list[str], environ: dict[str, str], words: str
) -> None:
    with pytest.raises(AnalysisError, match=words):
        resolve(given, environ, results)


@pytest.mark.parametrize("text", ["{0}", "{0}/nothing", "/nowhere/at/all", "docs/study/nothing", "README.md"])
def test_a_folder_that_is_no_exported_study_is_not_asked_for_on_a_server(
    results: Path, tmp_path: Path, text: str
) -> None:
    with pytest.raises(AnalysisError, match="is no folder of an exported study"):
        resolve([text.format(tmp_path)], KEY, results)


@pytest.mark.parametrize(("given", "words"), [(["a/b"], "set WANDB_API_KEY"), ([], "make study")])
def test_without_a_study_a_path_and_a_key_are_needed(tmp_path: Path, given: list[str], words: str) -> None:
    with pytest.raises(AnalysisError, match=words):
        resolve(given, {}, tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"paths": 3}'])
def test_a_broken_last_study_is_named_in_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / "study.json").write_text(content)
    with pytest.raises(AnalysisError, match=r"study\.json should hold"):
        resolve([], {}, tmp_path)
