"""The implementations that can be compared: one module each, found by its name."""
