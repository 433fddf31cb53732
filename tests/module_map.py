"""docs/modules.md: every module with the first line of its docstring. `make map` writes it; a test compares."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "modules.md"
PACKAGES = ("common", "data", "agent", "server", "analysis", "study")
"""Those of the product; `bench` measures them."""
HEAD = """# Modules

Every module by its folder, with the first line of its docstring; written by `make map`.
[architecture.md](architecture.md) has the packages, and who may import whom.
"""


def module_map() -> str:
    """The whole page."""
    parts = [HEAD]
    for package in (*PACKAGES, "bench"):
        for folder in sorted({file.parent for file in (ROOT / package).rglob("*.py")}):
            rows = [row(file) for file in sorted(folder.glob("*.py")) if file.stat().st_size]
            parts.append("\n".join([f"## {folder.relative_to(ROOT)}/", "", "| module | |", "|---|---|", *rows, ""]))
    return "\n".join(parts)


def row(file: Path) -> str:
    text = (ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n")[0].replace("|", "\\|")
    name = "the package" if file.stem == "__init__" else "the command" if file.stem == "__main__" else f"`{file.name}`"
    return f"| {name} | {text} |"


if __name__ == "__main__":
    PAGE.write_text(module_map())
