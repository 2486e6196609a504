"""Code inside the other's process: of harness it imports fingerprints, nothing else."""
