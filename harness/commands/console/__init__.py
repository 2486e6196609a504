"""Where a command meets who typed it: words, streams, the terminal, errors nobody expected."""
