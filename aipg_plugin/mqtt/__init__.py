"""MQTT: states, events and guarded snapshots out, commands in. See docs/mqtt.md."""

from aipg_plugin.mqtt.analytics import Line
from aipg_plugin.mqtt.client import MqttLink
from aipg_plugin.mqtt.commands import Command
from aipg_plugin.mqtt.reports import TrackReport

__all__ = ["Command", "Line", "MqttLink", "TrackReport"]
