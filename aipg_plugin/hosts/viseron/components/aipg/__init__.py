"""What Viseron imports as `viseron.components.aipg`."""

from aipg_plugin.hosts.viseron.client import setup_domains
from aipg_plugin.hosts.viseron.component import CONFIG_SCHEMA, setup

__all__ = ["CONFIG_SCHEMA", "setup", "setup_domains"]
