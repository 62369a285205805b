"""Renderers by name."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from specsia_build.errors import UsageError
from specsia_build.rendering.layers import Renderer

RENDERERS = {
    "fast": "specsia_build.rendering.fast.renderer:FastRenderer",
    "cycles": "specsia_build.rendering.blender.renderer:CyclesRenderer",
    "eevee": "specsia_build.rendering.blender.renderer:EeveeRenderer",
    "pyrender": "specsia_build.rendering.pyrender:PyrenderRenderer",
}
"""Module and class of each renderer; a module is imported when its renderer is asked for."""


def load_renderer(name: str) -> Renderer:
    """The renderer of that name.

    Raises:
        UsageError: if there is none.
    """
    if name not in RENDERERS:
        raise UsageError(f"there is no renderer '{name}'; the known ones are {', '.join(sorted(RENDERERS))}")
    module, _, attribute = RENDERERS[name].partition(":")
    return cast("Renderer", getattr(import_module(module), attribute)())
