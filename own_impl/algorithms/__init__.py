"""Algorithms, one page each: what a batch draws, how it becomes inputs, and what is minimised."""
