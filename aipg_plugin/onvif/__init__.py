"""ONVIF Profile S: guarded cameras that video management systems find as they find any camera."""

from aipg_plugin.onvif.routes import make_onvif

__all__ = ["make_onvif"]
