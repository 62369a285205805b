"""`specsia backends`."""

from __future__ import annotations

import click

from specsia_build.backends.registry import available_backends


@click.group()
def backends() -> None:
    """Reconstruction backends."""


@backends.command("list")
def list_backends() -> None:
    """Name the backends that are installed."""
    for name in available_backends():
        click.echo(name)
