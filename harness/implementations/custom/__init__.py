"""Yours: an implementation that one YAML file in its own repository describes."""
