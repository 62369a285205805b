"""Stable Fast 3D: a mesh with a baked texture by one pass of a reconstruction model, on a GPU or a CPU."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Mapping

from specsia_worker import InputError, Request, enter, weights

FOREGROUND, TEXELS = 0.85, 1024


def load(settings: Mapping[str, Any]) -> Callable[[Request], str]:
    """Load the model; see `specsia_worker`."""
    enter(settings["root"])
    import torch
    from PIL import Image
    from sf3d.system import SF3D
    from sf3d.utils import resize_foreground

    device = "cuda" if torch.cuda.is_available() else "cpu"
    folder = weights(settings, "sf3d")
    model = SF3D.from_pretrained(folder, config_name="config.yaml", weight_name="model.safetensors")
    model.to(device)
    model.eval()

    def reconstruct(request: Request) -> str:
        request.seed_all()
        with Image.open(request.image) as opened:
            picture = resize_foreground(opened.convert("RGBA"), FOREGROUND)
        # As upstream's `run.py` does.
        lower = contextlib.nullcontext() if device == "cpu" else torch.autocast(device, dtype=torch.bfloat16)
        with torch.no_grad(), lower:
            mesh, _ = model.run_image(picture, bake_resolution=TEXELS)
        if len(mesh.faces) == 0:
            raise InputError("Stable Fast 3D finds no surface in the picture")
        path = request.out("mesh.glb")
        mesh.export(path, include_normals=True)
        return path

    return reconstruct
