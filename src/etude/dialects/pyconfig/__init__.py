"""Python configs of OpenMMLab, resolved with all their bases, and never run."""

from .load import Resolved, generation, resolve

__all__ = ["Resolved", "generation", "resolve"]
