"""specsia: repair drawn characters seen from new angles, and build the datasets that teach 2D models to do
so.

import specsia

hero = specsia.repair("drawing.png")
hero.film("hero.webp")

knight = specsia.load("Knight.glb")
views = specsia.render(knight, views=10, size=512)
guess = specsia.reconstruct(views[0], backend="relief")
pairs = specsia.pair(guess, views)
data = specsia.open_dataset("run/dataset")
model = specsia.train(data, preset="tiny", steps=500)
repaired = model.enhance(data[0])
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specsia_build.errors import CharacterError, SpecsiaError, UsageError
    from specsia_build.library.model import Dataset, Model, load_model, open_dataset, train
    from specsia_build.library.pictures import (
        Pairs,
        Reconstruction,
        View,
        Views,
        load,
        pair,
        reconstruct,
        render,
    )
    from specsia_build.library.repair import Repaired, repair
    from specsia_build.rendering.mesh import Material, Mesh, Texture

__version__ = "0.2.0"

__all__ = ["CharacterError", "SpecsiaError", "UsageError"]
__all__ += ["Dataset", "Model", "load_model", "open_dataset", "train"]
__all__ += ["Pairs", "Reconstruction", "View", "Views", "load", "pair", "reconstruct", "render"]
__all__ += ["Repaired", "repair"]
__all__ += ["Material", "Mesh", "Texture"]

_HOMES = {
    "errors": ("CharacterError", "SpecsiaError", "UsageError"),
    "library.model": ("Dataset", "Model", "load_model", "open_dataset", "train"),
    "library.pictures": ("Pairs", "Reconstruction", "View", "Views", "load", "pair", "reconstruct", "render"),
    "library.repair": ("Repaired", "repair"),
    "rendering.mesh": ("Material", "Mesh", "Texture"),
}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*(name for name in globals() if name.startswith("__")), *__all__])
