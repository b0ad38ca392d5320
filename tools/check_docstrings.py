"""Validate docstrings by the rules of numpydoc, without importing anything.

    python tools/check_docstrings.py

Every public object says in a sentence what it is, and documents no parameter that it does
not have.  What the package exports to users (the names of its ``__init__.pyi``) documents
every parameter and what it returns.  Prints what is missing and exits with 1.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from numpydoc.hooks.validate_docstrings import parse_config, process_file

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "napari_sem_tools"
EXPORTED_ONLY = {"PR01", "RT01"}  # rules for what users call; the rest holds everywhere


def exported(room: Path) -> set[str]:
    """Collect what the ``__init__`` of a folder exports, as ``module.name``."""
    names: set[str] = set()
    for path in (room / "__init__.py", room / "__init__.pyi"):
        if path.exists():
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom):
                    module = (node.module or "").rpartition(".")[2]
                    names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def public(path: Path) -> set[str]:
    """Collect the dotted names of the public objects of a module, inner functions left out."""
    names = {path.stem}

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                continue
            if child.name.startswith("_"):
                continue
            names.add(f"{prefix}.{child.name}")
            if isinstance(child, ast.ClassDef):
                visit(child, f"{prefix}.{child.name}")

    visit(ast.parse(path.read_text(encoding="utf-8")), path.stem)
    return names


def heirs(path: Path) -> set[str]:
    """Collect the classes whose parameters are those of another class."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.bases)
    return {
        f"{path.stem}.{node.name}"
        for node in classes
        if not any(getattr(part, "name", "") == "__init__" for part in node.body)
    }


def faults(path: Path, config: dict[str, object]) -> Iterator[str]:
    """Say what the docstrings of a module lack."""
    here = public(path)
    users = {name.rpartition(".")[2] for name in exported(PACKAGE)}
    room = {name for name in exported(path.parent) if name.rpartition(".")[2] in users}
    inherited = heirs(path)
    for place, name, check, text in process_file(str(path), config):
        if check == "PR02" and name in inherited:
            continue
        if name in here and (name in room or check not in EXPORTED_ONLY):
            yield f"{Path(place).relative_to(ROOT)}: {name} {check} {text}"


def main() -> int:
    """Check every module of the package."""
    config = parse_config(str(ROOT))
    paths = sorted(p for p in PACKAGE.rglob("*.py") if not p.name.startswith("_"))
    found = [fault for path in paths for fault in faults(path, config)]
    print("\n".join(found) or f"{len(paths)} modules are documented.")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
