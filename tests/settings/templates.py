"""Finds the English templates of errors in source code: the keys of `errors` in translations."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

_MAKERS = ("Bad", "Finding", "Problem")


def templates(folder: Path) -> set[str]:
    """Every literal message and cure given to an error below `folder`."""
    return {found for path in sorted(folder.rglob("*.py")) for found in _of(path)}


def _of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name not in _MAKERS and not name.endswith("Error"):
            continue
        given = list(node.args[1:3] if name == "Finding" else node.args[:1])
        given += [keyword.value for keyword in node.keywords if keyword.arg == "cure"]
        for value in given:
            yield from _texts(value)


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
