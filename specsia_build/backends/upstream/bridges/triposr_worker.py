"""TripoSR: a density field with colours by one pass of a large reconstruction model, on a GPU or a CPU."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from specsia_worker import InputError, Request, enter, weights

FOREGROUND, GREY = 0.85, 0.5
CHUNK, RESOLUTION = 8192, 256


def load(settings: Mapping[str, Any]) -> Callable[[Request], str]:
    """Load the model; see `specsia_worker`."""
    enter(settings["root"])
    import numpy
    import torch
    from PIL import Image
    from tsr.system import TSR
    from tsr.utils import resize_foreground

    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    folder = weights(settings, "triposr")
    model = TSR.from_pretrained(folder, config_name="config.yaml", weight_name="model.ckpt")
    model.renderer.set_chunk_size(CHUNK)
    model.to(device)

    def reconstruct(request: Request) -> str:
        request.seed_all()
        with Image.open(request.image) as opened:
            picture = resize_foreground(opened.convert("RGBA"), FOREGROUND)
        levels = numpy.asarray(picture, dtype=numpy.float32) / 255
        colours, alpha = levels[..., :3], levels[..., 3:]
        with torch.no_grad():
            codes = model([colours * alpha + GREY * (1 - alpha)], device=device)
            (mesh,) = model.extract_mesh(codes, True, resolution=RESOLUTION)
        if len(mesh.faces) == 0:
            raise InputError("TripoSR finds no surface in the picture")
        if mesh.volume < 0:
            mesh.invert()
        path = request.out("mesh.obj")
        mesh.export(path)
        return path

    return reconstruct
