"""ONVIF Profile S: guarded cameras that video management systems find as they find any camera."""
