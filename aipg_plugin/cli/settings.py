"""`aipg settings`: the reference of every setting, made from the schema."""

from __future__ import annotations

import argparse
import json

from aipg_plugin.settings.describe import describe, reference_markdown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg settings`."""
    parser.add_argument("--json", action="store_true", help="print as JSON")


def run(options: argparse.Namespace) -> int:
    """Print the reference."""
    if options.json:
        print(json.dumps([setting.as_dict() for setting in describe()], indent=2))
    else:
        print(reference_markdown(), end="")
    return 0
