"""Masking: what is hidden in a picture (plan), where (region), how (effects, cells) and the painting itself."""

from aipg_plugin.masking.cells import cell_px_for
from aipg_plugin.masking.painter import MaskPainter
from aipg_plugin.masking.plan import AreaRegion, Background, FigureRegion, MaskPlan

__all__ = ["AreaRegion", "Background", "FigureRegion", "MaskPainter", "MaskPlan", "cell_px_for"]
