"""`models/models.json`: which weights ship, and the check that a file is the one that was measured."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aipg_plugin.errors import ModelError
from aipg_plugin.resources import resource_path


@dataclass(frozen=True)
class ModelEntry:
    """One shipped weight file; `accuracy` is what the model card reports, by name."""

    file: str
    sha256: str
    tier: str
    precision: str
    tile_px: int
    licence: str
    accuracy: dict[str, float]
    path: Path


def _entry(row: dict[str, Any], folder: Path) -> ModelEntry:
    numbers = {str(k): float(v) for k, v in row["measured"].items() if isinstance(v, int | float)}
    return ModelEntry(file=str(row["file"]), sha256=str(row["sha256"]).lower(), tier=str(row["tier"]),
                      precision=str(row["precision"]), tile_px=int(row["input"]["tile_px"]),
                      licence=str(row["licence"]), accuracy=numbers, path=folder / str(row["file"]))


def manifest(path: Path | None = None) -> tuple[ModelEntry, ...]:
    """Every entry of the manifest (the shipped one by default); empty when there is no file.

    Raises ModelError when the file is not valid JSON or an entry lacks one of the keys read here.
    """
    source = path or resource_path("models", "models.json")
    if not source.is_file():
        return ()
    try:
        document = json.loads(source.read_text(encoding="utf-8"))
        rows = document["models"]
        return tuple(_entry(row, source.parent) for row in rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError("model manifest {file} cannot be read: {error}", file=str(source), error=repr(error),
                         cure="Install the package again") from error


def find_entry(tier: str, precision: str, path: Path | None = None) -> ModelEntry:
    """The entry of a tier and precision; raises ModelError naming what there is instead."""
    entries = manifest(path)
    for entry in entries:
        if (entry.tier, entry.precision) == (tier, precision):
            return entry
    known = ", ".join(f"{e.tier}/{e.precision}" for e in entries) or "none"
    raise ModelError("no model {tier}/{precision} ships with this package; there are: {known}", path="models",
                     cure="Choose another tier or precision, or describe your own model under models.custom",
                     tier=tier, precision=precision, known=known)


def read_checked(path: Path, sha256: str | None) -> bytes:
    """The file's bytes, after its sha256 (if given) has been compared.

    Raises ModelError when the file is missing, empty or altered.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError("model file {file} cannot be read: {error}", file=str(path), error=str(error),
                         cure="Check the path, or install the package again") from error
    if not data:
        raise ModelError("model file {file} is empty", file=str(path), cure="Install the package again")
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise ModelError("model file {file} is not the one that was released: sha256 {found}, expected {wanted}",
                         file=str(path), found=found[:12], wanted=sha256[:12], cure="Install the package again")
    return data
