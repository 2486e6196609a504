"""Options and exit codes, and nothing else: a module for each family of verbs."""

from harness.commands.cli.verbs import app, main

__all__ = ["app", "main"]
