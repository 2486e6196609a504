"""Studies: one recipe of our FixMatch varied, each variant against a baseline, seed by seed."""
