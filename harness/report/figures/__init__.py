"""The figures, byte-stable."""
