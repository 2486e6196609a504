"""Where a command meets who typed it: words, streams, errors that nobody expected."""
