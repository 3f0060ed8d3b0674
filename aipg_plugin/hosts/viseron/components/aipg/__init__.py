"""What Viseron imports as `viseron.components.aipg`."""

from aipg_plugin.hosts.viseron.component import CONFIG_SCHEMA, setup, setup_domains

__all__ = ["CONFIG_SCHEMA", "setup", "setup_domains"]
