"""The modules in docs/architecture.md: each with the first line of its docstring. `make map` writes the list."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = ("common", "data", "agent", "server", "analysis", "study")
"""Those of the product; `bench` measures them."""
HEAD = "by its folder, with the first line of its docstring; `make map` writes this list, a test compares it.\n"
"""The end of the sentence before the list."""


def module_map() -> str:
    """One table for each folder."""
    parts = [""]
    for package in (*PACKAGES, "bench"):
        for folder in sorted({file.parent for file in (ROOT / package).rglob("*.py")}):
            rows = [row(file) for file in sorted(folder.glob("*.py")) if file.stat().st_size]
            parts.append("\n".join([f"### {folder.relative_to(ROOT)}/", "", "| module | |", "|---|---|", *rows, ""]))
    return "\n".join(parts)


def row(file: Path) -> str:
    text = (ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n")[0].replace("|", "\\|")
    name = "the package" if file.stem == "__init__" else "the command" if file.stem == "__main__" else f"`{file.name}`"
    return f"| {name} | {text} |"


if __name__ == "__main__":
    before = PAGE.read_text().partition(HEAD)[0]
    PAGE.write_text(before + HEAD + module_map())
