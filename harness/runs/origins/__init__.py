"""Whose code made a run, and what becomes of runs that other code made."""
