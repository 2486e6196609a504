"""Running children: where a command runs, and what is watched while it does."""
