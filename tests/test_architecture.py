"""docs/architecture.md is true: who imports whom, where SQL is written, which files exist."""

import ast
import functools
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from agent.config import from_settings, parse
from common import keys
from server import search
from tests.module_map import HEAD, PACKAGES, ROOT, module_map

PAGE = (ROOT / "docs" / "architecture.md").read_text()


def rows(head: str) -> list[tuple[str, str]]:
    """The first two cells of every row of a table of the page."""
    _, _, below = PAGE.partition(f"| {head} |")
    lines = below.partition("\n\n")[0].splitlines()[2:]
    return [(cells[1].strip(), cells[2].strip()) for cells in (line.split("|") for line in lines)]


def words(cell: str) -> set[str]:
    return set(re.findall(r"\w+(?=,|$)", cell))


ALLOWED = {package: words(cell) & set(PACKAGES) for package, cell in rows("package")}
INSIDE_SERVER = {part: words(cell) - {"none"} for part, cell in rows("part of `server`")}


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@functools.cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def imported(file: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, those inside functions included."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_the_packages_it_may(package: str) -> None:
    others = {*PACKAGES, "bench", "tests"} - {package} - ALLOWED[package]
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in modules(package)
        for name in imported(file)
        if name.split(".")[0] in others
    ]
    assert wrong == []


@pytest.mark.parametrize("part", INSIDE_SERVER)
def test_a_part_of_the_server_imports_only_the_parts_it_may(part: str) -> None:
    files = modules(f"server/{part}") or [ROOT / "server" / f"{part}.py"]
    forbidden = INSIDE_SERVER.keys() - INSIDE_SERVER[part] - {part}
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files
        for name in imported(file)
        if name.startswith("server.") and name.split(".")[1] in forbidden
    ]
    assert wrong == []


@pytest.mark.parametrize("part", ["store", "pages"])
def test_a_row_of_a_part_imports_only_itself_and_the_rows_below(part: str) -> None:
    level = {
        name: number
        for number, (cell, _) in enumerate(rows(f"in `{part}`"))
        for name in re.findall(r"(\w+)(?:/|\.py)", cell)
    }
    folder = ROOT / "server" / part
    found = {each.stem for each in folder.iterdir() if each.suffix == ".py" or (each / "__init__.py").exists()}
    assert found - {"__init__"} == level.keys()
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in modules(f"server/{part}")
        if (own := file.relative_to(folder).parts[0].removesuffix(".py")) != "__init__"
        for name in imported(file)
        if name.startswith(f"server.{part}.") and level.get(name.split(".")[2], 99) < level[own]
    ]
    assert wrong == []


def test_only_the_store_writes_sql_and_it_knows_nothing_of_http() -> None:
    sql = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM)\b.*\b(FROM|VALUES|SET|WHERE)\b", re.DOTALL)
    for file in modules("server"):
        in_store = (ROOT / "server" / "store") in file.parents
        if in_store:
            assert not {name.split(".")[0] for name in imported(file)} & {"starlette", "uvicorn", "http"}, file
            continue
        texts = [n.value for n in ast.walk(tree_of(file)) if isinstance(n, ast.Constant)]
        assert not [t for t in texts if isinstance(t, str) and sql.search(t)], file
        assert "sqlite3" not in set(imported(file)), file


def test_analysis_knows_neither_torch_nor_the_server() -> None:
    names = {name.split(".")[0] for file in modules("analysis") for name in imported(file)}
    assert not names & {"torch", "torchvision", "segmentation_models_pytorch", "timm", "sqlite3"}


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Those of a module that run: what only type checkers read is left out."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield node
            yield from nodes(node)


def test_no_modules_import_one_another_in_a_circle() -> None:
    files = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts): file
        for package in PACKAGES
        for file in modules(package)
    }
    names = {name.removesuffix(".__init__"): file for name, file in files.items()}
    graph: dict[str, set[str]] = {name: set() for name in names}
    for name, file in names.items():
        for node in nodes(tree_of(file)):
            if isinstance(node, ast.ImportFrom):
                full = {f"{node.module}.{alias.name}" for alias in node.names}
                graph[name] |= {each if each in names else str(node.module) for each in full} & names.keys() - {name}
    assert list(graphlib.TopologicalSorter(graph).static_order())
    arrows = {
        (package_of(name), package_of(other))
        for name, others in graph.items()
        for other in others
        if package_of(name) != package_of(other) and name.split(".")[0] == other.split(".")[0]
    }
    assert not arrows & {(other, name) for name, other in arrows}, "packages that import one another"


def package_of(name: str) -> str:
    """Package of a module; in the server, whose packages have packages, the inner one."""
    return ".".join(name.split(".")[: 3 if name.startswith("server.") else 2])


def test_what_a_function_imports_of_ours_says_why_on_its_line() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for package in (*PACKAGES, "bench")
        for file in modules(package)
        for function in ast.walk(tree_of(file))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in PACKAGES
        if " # " not in file.read_text().splitlines()[node.lineno - 1]
    ]
    assert wrong == []


def test_the_keys_of_a_run_are_written_in_one_module() -> None:
    written = {key for key in (*keys.HISTORY, *keys.SUMMARY, keys.TEST_RULE, keys.PREDICTIONS) if "/" in key}
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.value}"
        for package in PACKAGES
        for file in modules(package)
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.Constant) and node.value in written and file != ROOT / "common" / "keys.py"
    ]
    assert wrong == []


def test_no_bench_imports_tests() -> None:
    assert [(file.name, name) for file in modules("bench") for name in imported(file) if name.startswith("tests")] == []


def test_no_module_imports_from_a_test_module() -> None:
    """What tests share lies in modules of its own; a test file can be moved or deleted alone."""
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for package in (*PACKAGES, "bench", "tests")
        for file in modules(package)
        for name in imported(file)
        if re.search(r"^tests\.(.*\.)?test_", name)
    ]
    assert wrong == []


def test_every_folder_and_file_of_the_page_exists() -> None:
    tree = PAGE.split("## Packages")[1].split("## Who may")[0]
    package = Path()
    missing = []
    for indent, name in re.findall(r"^( {4}| {8})([\w.]+/?)  ", tree, flags=re.MULTILINE):
        package = Path(name) if len(indent) == 4 else package
        path = ROOT / package / ("" if len(indent) == 4 else name)
        if not path.exists():
            missing.append(str(path))
    assert missing == []


def test_every_module_is_on_the_map_with_its_one_line() -> None:
    written = PAGE.partition(HEAD)[2]
    assert written == module_map(), "the map is old: make map"
    lines = re.findall(r"^\| [^|]+ \| (.*) \|$", written, flags=re.MULTILINE)
    assert [line for line in lines if line and not re.search(r"[.?:]$|`$", line)] == []


def test_a_docstring_begins_with_one_line() -> None:
    wrong = []
    for file in (path for name in (*PACKAGES, "bench", "tests") for path in modules(name)):
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
                first = (ast.get_docstring(node) or "").partition("\n\n")[0]
                wrong += [f"{file.relative_to(ROOT)}: {first}"] * ("\n" in first)
    assert wrong == []


def test_every_folder_of_code_is_on_the_page() -> None:
    for depth, files in (
        (0, ROOT.glob("*/*.py")),
        (1, (file for name in PACKAGES for file in ROOT.glob(f"{name}/*/*.py"))),
    ):
        found = {f"{file.relative_to(ROOT).parts[depth]}/" for file in files}
        assert found <= set(re.findall(rf"^ {{{4 + 4 * depth}}}(\w+/) ", PAGE, flags=re.MULTILINE))


@pytest.mark.parametrize("file", sorted((ROOT / "sweeps").glob("*.yaml")), ids=lambda file: file.name)
def test_a_sweep_says_its_question_and_marks_every_parameter(file: Path) -> None:
    text = file.read_text()
    assert text.startswith("# Question: ")
    marked = re.findall(r"^  (\w+):.*# (scientific|nuisance|fixed)", text, flags=re.MULTILINE)
    assert {name for name, _ in marked} == set(yaml.safe_load(text).get("parameters", {}))


LISTED = [
    file
    for file in sorted((ROOT / "sweeps").glob("*.yaml"))
    if "search_space" not in yaml.safe_load(file.read_text()).get("scheduler", {})
]
"""Sweeps whose values stand in the YAML, not in a Python function."""


@pytest.mark.parametrize("file", LISTED, ids=lambda file: file.name)
def test_every_value_of_a_sweep_is_a_valid_setting_of_the_right_type(file: Path) -> None:
    parameters = yaml.safe_load(file.read_text())["parameters"]
    choices = {name: p.get("values", [p.get("value", p.get("min"))]) for name, p in parameters.items()}
    first = {name: values[0] for name, values in choices.items()}
    for name, values in choices.items():
        for value in values:
            settings = first | {name: value}
            flags = [f"--{key}={each}" for key, each in settings.items()]
            assert parse(flags) == from_settings(settings)


@pytest.mark.parametrize("file", LISTED, ids=lambda file: file.name)
def test_the_embedded_server_can_search_every_sweep(file: Path) -> None:
    sweep = yaml.safe_load(file.read_text())
    assert search.validate(sweep) == []
    suggested = search.suggest(sweep, [], seed=1)
    assert suggested is not None
    assert from_settings(suggested).architecture


def test_the_study_compares_the_eight_models() -> None:
    models = yaml.safe_load((ROOT / "sweeps" / "cpu.yaml").read_text())["parameters"]["model"]["values"]
    made = [parse([f"--model={model}"]) for model in models]
    assert [c.architecture for c in made].count("unet") == 3
    assert [c.architecture for c in made].count("deeplabv3plus") == 3
    assert {c.architecture for c in made} == {"unet_transposed", "unet_bilinear", "unet", "deeplabv3plus"}
    assert len({c.backbone for c in made if c.architecture == "unet"}) == 3
    assert any(c.weights == "imagenet" for c in made)


def test_cells_and_lines_of_a_page_are_short() -> None:
    """A table is read across, so a cell has at most 200 characters; a line of prose has at most 120."""
    wrong = []
    pages = [
        *ROOT.glob("*.md"),
        *(page for package in (*PACKAGES, "docs", "sweeps") for page in (ROOT / package).rglob("*.md")),
    ]
    for page in pages:
        for number, line in enumerate(page.read_text().splitlines(), start=1):
            cells = re.split(r"(?<!\\)\|", line) if line.startswith("|") else []
            prose = not line.startswith(("|", "    "))
            if max(map(len, cells), default=0) > 200 + 2 or (prose and len(line) > 120):
                wrong.append(f"{page.relative_to(ROOT)}:{number}")
    assert wrong == []
