"""Compares FixMatch implementations on equal terms; see CONTRIBUTING.md for the reading order."""
