"""Difix3D: a damaged view repaired in one step of a diffusion model, with a reference picture."""

from __future__ import annotations

import os
from typing import Any, Callable, Mapping

from specsia_worker import Request, enter, weights

PROMPT, TIMESTEP = "remove degradation", 199
REFERENCE = "reference.png"  # Beside the picture


def load(settings: Mapping[str, Any]) -> Callable[[Request], str]:
    """Load the pipeline; see `specsia_worker`."""
    enter(settings["root"], "src")
    from PIL import Image
    from pipeline_difix import DifixPipeline

    pipeline = DifixPipeline.from_pretrained(weights(settings, "difix"), trust_remote_code=True)
    pipeline.to("cuda")

    def repair(request: Request) -> str:
        request.seed_all()
        pictures = []
        for path in (request.image, os.path.join(os.path.dirname(request.image), REFERENCE)):
            with Image.open(path) as opened:
                pictures.append(opened.convert("RGB"))
        width, height = pictures[0].size
        made = pipeline(
            PROMPT,
            image=pictures[0],
            ref_image=pictures[1],
            height=max(8, height // 8 * 8),
            width=max(8, width // 8 * 8),
            num_inference_steps=1,
            timesteps=[TIMESTEP],
            guidance_scale=0.0,
        )
        path = request.out("repaired.png")
        made.images[0].resize((width, height)).save(path)
        return path

    return repair
