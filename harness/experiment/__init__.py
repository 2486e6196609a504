"""What is asked: profile, data, split, study. Runs nothing."""
