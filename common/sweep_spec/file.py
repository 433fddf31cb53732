"""A sweep's YAML file as a mapping, or what is wrong with it in one sentence."""

from pathlib import Path
from typing import Any

import yaml


class SweepFileError(ValueError):
    """The file is no sweep; the text is one sentence that names it."""


def read(file: Path) -> dict[str, Any]:
    """The mapping in the file. Raises SweepFileError."""
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SweepFileError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SweepFileError(f"{file} cannot be read: it is no text in UTF-8") from error
    except RecursionError as error:
        raise SweepFileError(f"{file} is not YAML: it is nested too deeply") from error
    except (yaml.YAMLError, ValueError) as error:
        line, problem = syntax_error(error)
        raise SweepFileError(f"{file} is not YAML: line {line}: {problem}") from error
    if not isinstance(config, dict):
        raise SweepFileError(f"{file} is not a sweep: it holds no mapping of settings")
    return config


def syntax_error(error: yaml.YAMLError | ValueError) -> tuple[int, str]:
    """Line, from 1 on, and problem of what yaml raised; line 1 of an error without a place."""
    mark = getattr(error, "problem_mark", None)
    return mark.line + 1 if mark else 1, getattr(error, "problem", None) or " ".join(str(error).split())
