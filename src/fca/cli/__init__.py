"""The `fca` command. Quick to import."""

from fca.cli.main import main

__all__ = ["main"]
