"""What the runs say: pure functions of what they left."""
