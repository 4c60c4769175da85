"""Python configs of OpenMMLab, resolved with all their bases, and never run."""

from .load import Resolved, generation, resolve

__all__ = ["DIALECTS", "Resolved", "generation", "resolve"]
DIALECTS = ("mmcv", "mmengine")
"""Whose configs are Python files."""
