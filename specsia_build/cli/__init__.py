"""The `specsia` command."""

from specsia_build.cli.main import main

__all__ = ["main"]
