"""One reader a log format: text or JSONL -> points."""
