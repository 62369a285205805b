"""Renderers by name."""

from __future__ import annotations

from specsia_build.errors import UsageError
from specsia_build.rendering.fast import FastRenderer
from specsia_build.rendering.layers import Renderer

RENDERERS: dict[str, type[Renderer]] = {FastRenderer.name: FastRenderer}


def load_renderer(name: str) -> Renderer:
    """The renderer of that name.

    Raises:
        UsageError: if there is none.
    """
    if name not in RENDERERS:
        raise UsageError(f"there is no renderer '{name}'; the known ones are {', '.join(sorted(RENDERERS))}")
    return RENDERERS[name]()
