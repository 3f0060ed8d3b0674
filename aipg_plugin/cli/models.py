"""`aipg models`: the detectors that ship, and what they measured."""

from __future__ import annotations

import argparse
import json

from aipg_plugin.detection.manifest import manifest, read_checked
from aipg_plugin.detection.onnx import available_providers
from aipg_plugin.errors import ModelError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg models`."""
    parser.add_argument("--json", action="store_true", help="print as JSON")


def run(options: argparse.Namespace) -> int:
    """List the models; exit 4 if a file is missing or altered."""
    rows = []
    for entry in manifest():
        try:
            read_checked(entry.path, entry.sha256)
            state = "ok"
        except ModelError as error:
            state = str(error)
        rows.append({"tier": entry.tier, "precision": entry.precision, "file": entry.file, "tile_px": entry.tile_px,
                     "licence": entry.licence, "state": state, "measured": entry.accuracy})
    if options.json:
        print(json.dumps({"models": rows, "providers": available_providers()}, indent=2))
    else:
        for row in rows:
            measured = ", ".join(f"{name} {value:g}" for name, value in entry_items(row["measured"]))
            print(f"{row['tier']:9} {row['precision']:5} {row['file']:32} {row['tile_px']} px  {row['state']}")
            if measured:
                print(f"          {measured}")
        print("runs on: " + ", ".join(available_providers()))
    if not rows:
        raise ModelError("no models ship with this installation", cure="Install the package again")
    return 0 if all(row["state"] == "ok" for row in rows) else ModelError.exit_code


def entry_items(measured: object) -> list[tuple[str, float]]:
    """Name and value pairs of a model's measurements."""
    return list(measured.items()) if isinstance(measured, dict) else []
