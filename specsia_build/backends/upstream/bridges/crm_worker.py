"""CRM: six views and their canonical coordinates by two diffusion models, then a mesh with a texture."""

from __future__ import annotations

import json
import os
import zipfile
from typing import Any, Callable, Mapping

from specsia_worker import Request, enter, weights

SPECS = "configs/specs_objaverse_total.json"
STAGE1, STAGE2 = "configs/nf7_v3_SNR_rd_size_stroke.yaml", "configs/stage2-v2-snr.yaml"
BACKGROUND = (127, 127, 127)
SCALE, STEPS = 5.0, 50
MODEL, PIXELS, COORDINATES = "CRM.pth", "pixel-diffusion.pth", "ccm-diffusion.pth"
GONE = "stabilityai/stable-diffusion-2-1-base"
SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "prediction_type": "epsilon",
}


def without_downloads() -> None:
    """Replace a background remover that three modules open at import, and a scheduler that left the Hub."""
    import diffusers
    import rembg

    rembg.new_session = lambda *arguments, **options: None
    scheduler = diffusers.DDIMScheduler
    original = scheduler.from_pretrained

    def from_pretrained(name: str, *arguments: Any, **options: Any) -> Any:
        return scheduler(**SCHEDULE) if name == GONE else original(name, *arguments, **options)

    scheduler.from_pretrained = from_pretrained


def load(settings: Mapping[str, Any]) -> Callable[[Request], str]:
    """Load the three models; see `specsia_worker`."""
    enter(settings["root"])
    without_downloads()
    import numpy
    import torch
    from inference import generate3d
    from model import CRM
    from omegaconf import OmegaConf
    from PIL import Image
    from pipelines import TwoStagePipeline
    from run import preprocess_image

    own = weights(settings, "crm")
    with open(SPECS, encoding="utf-8") as stream:
        model = CRM(json.load(stream)).to("cuda")
    model.load_state_dict(torch.load(os.path.join(own, MODEL), map_location="cuda"), strict=False)
    stage1, stage2 = OmegaConf.load(STAGE1).config, OmegaConf.load(STAGE2).config
    stage1.models.resume = os.path.join(own, PIXELS)
    stage2.models.resume = os.path.join(own, COORDINATES)
    pipeline = TwoStagePipeline(stage1.models, stage2.models, stage1.sampler, stage2.sampler)

    def reconstruct(request: Request) -> str:
        # set_seed alone does not reach the sampler, which draws from torch.
        pipeline.set_seed(request.seed_all())
        with Image.open(request.image) as opened:
            picture = preprocess_image(opened.convert("RGBA"), "Alpha as mask", 1.0, BACKGROUND)
        pictures = pipeline(picture, scale=SCALE, step=STEPS)
        colours = numpy.concatenate(pictures["stage1_images"], 1)
        coordinates = numpy.concatenate(pictures["stage2_images"], 1)
        _, archive = generate3d(model, colours, coordinates, "cuda")
        # The OBJ, its material and its picture.
        with zipfile.ZipFile(archive) as opened:
            names = [name for name in opened.namelist() if os.path.basename(name) == name]
            for name in names:
                opened.extract(name, request.out(""))
        meshes = [name for name in names if name.endswith(".obj")]
        if len(meshes) != 1:
            raise RuntimeError("CRM wrote {} meshes, not one".format(len(meshes)))
        return request.out(meshes[0])

    return reconstruct
