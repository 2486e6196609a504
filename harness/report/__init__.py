"""How it is shown: bytes from results."""
