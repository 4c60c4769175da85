"""Figures that no code of ours made: by hand, in 300-bit arithmetic, or recorded from the real frameworks."""
