"""Hold the sizes of files and functions; an exception is named here with its reason.

    python tools/check_sizes.py

Prints what is too large and exits with 1.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("src", "tests", "tools", "benchmarks")

FILE_LINES = 600
FUNCTION_LINES = 60
POSITIONAL = 6  # parameters that may be given by place, without self or cls

EXCEPTIONS: dict[str, str] = {}
"""``path`` or ``path::function`` -> why it may be larger."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[Function]:
    """List all functions of a module, methods and inner ones included."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def body_lines(function: Function) -> int:
    """Count the lines of a function without its docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def positional(function: Function) -> int:
    """Count the parameters that may be given by place."""
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def faults(path: Path) -> Iterator[str]:
    """Say what is too large in a file."""
    name = path.relative_to(ROOT).as_posix()
    text = path.read_text(encoding="utf-8")
    lines = len(text.splitlines())
    if lines > FILE_LINES and name not in EXCEPTIONS:
        yield f"{name}: {lines} lines, at most {FILE_LINES}"
    for function in functions(ast.parse(text)):
        if f"{name}::{function.name}" in EXCEPTIONS:
            continue
        where = f"{name}:{function.lineno} {function.name}"
        if (length := body_lines(function)) > FUNCTION_LINES:
            yield f"{where}: {length} lines, at most {FUNCTION_LINES}"
        if (count := positional(function)) > POSITIONAL and not name.startswith("tests/"):
            yield f"{where}: {count} parameters by place, at most {POSITIONAL}"


def main() -> int:
    """Check every Python file of the project."""
    paths = sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))
    found = [fault for path in paths for fault in faults(path)]
    print("\n".join(found) or f"{len(paths)} files are of moderate size.")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
