"""bench: what is timed, on what it is trained, block by block in turn, and the numbers."""
