"""Settings: one schema, from YAML to frozen options and back."""

from aipg_plugin.settings.build import to_dict
from aipg_plugin.settings.change import apply_change, changed_paths
from aipg_plugin.settings.loader import Loaded, load, validate, warnings_of
from aipg_plugin.settings.writer import last_good_path, save_changes

__all__ = ["Loaded", "apply_change", "changed_paths", "last_good_path", "load", "save_changes",
           "to_dict", "validate", "warnings_of"]
