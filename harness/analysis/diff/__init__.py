"""Accuracies now against those of a base: the base, the cells paired by seed, what is accepted."""
