"""A backend that gives what a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from specsia_build.backends.base import Backend, Context
from specsia_build.films import Pixels
from specsia_build.rendering.mesh import Mesh


@dataclass
class Fake(Backend):
    """Gives what `make` makes, and counts how often it was closed."""

    make: Callable[[Context], Mesh]
    name: str = "mine"
    version: int = 1
    sees_ground_truth: bool = False
    needs_yaw: bool = False
    closed: int = 0

    def settings(self) -> Mapping[str, Any]:
        return {}

    def reconstruct(self, image: Pixels, context: Context) -> Mesh:
        return self.make(context)

    def close(self) -> None:
        self.closed += 1
