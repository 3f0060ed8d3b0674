"""`python -m aipg_plugin` is `aipg`."""

from aipg_plugin.cli.main import script

script()
