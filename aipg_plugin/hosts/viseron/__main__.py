"""`python -m aipg_plugin.hosts.viseron`: checks Viseron's configuration, then starts Viseron with our component.

The check comes first because nothing inside Viseron can stop its recorder: a component that fails is only left out.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from aipg_plugin.errors import AipgError
from aipg_plugin.hosts.nvr_sources import parsed
from aipg_plugin.hosts.viseron import install
from aipg_plugin.hosts.viseron.safety import refuse_unsafe

CONFIG_DIR = "/config"  # Viseron's default for VISERON_CONFIG_DIR


def main(config: Path | None = None) -> int:
    """Start Viseron, or return why not: 7 while its recorder copies a raw source."""
    file = config or Path(os.environ.get("VISERON_CONFIG_DIR", CONFIG_DIR)) / "config.yaml"
    try:
        refuse_unsafe(parsed(file.read_text(encoding="utf-8")))
    except AipgError as error:
        print(f"aipg: Viseron is not started\n{error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"aipg: {file} cannot be read: {error.strerror}", file=sys.stderr)
        return 7
    install()
    runpy.run_module("viseron", run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
