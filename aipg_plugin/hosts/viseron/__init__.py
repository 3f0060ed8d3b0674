"""AI Privacy Guard as a component of Viseron, loaded from outside Viseron's tree.

Written against Viseron's development version (interfaces read in November 2026, commits 14b5864d, 02e60784 and
0005e93a); it has not been run inside Viseron.
"""

from __future__ import annotations

from pathlib import Path

COMPONENTS = Path(__file__).with_name("components")


def install() -> None:
    """Let Viseron find the component `aipg`. Raises ModuleNotFoundError where there is no Viseron."""
    from viseron import components

    if str(COMPONENTS) not in components.__path__:
        components.__path__.append(str(COMPONENTS))
