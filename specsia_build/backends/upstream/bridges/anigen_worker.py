"""AniGen: a mesh with a texture, a skeleton and skin weights by two flow models."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from specsia_worker import Request, enter

STRUCTURE, LATENTS = "ckpts/anigen/ss_flow_solo", "ckpts/anigen/slat_flow_auto"


def load(settings: Mapping[str, Any]) -> Callable[[Request], str]:
    """Load the pipeline, whose weights lie in the checkout; see `specsia_worker`."""
    enter(settings["root"])
    import torch
    from anigen.pipelines import AnigenImageTo3DPipeline
    from PIL import Image

    pipeline = AnigenImageTo3DPipeline.from_pretrained(
        ss_flow_path=STRUCTURE, slat_flow_path=LATENTS, device="cuda"
    )
    pipeline.cuda()

    def reconstruct(request: Request) -> str:
        path = request.out("mesh.glb")
        with Image.open(request.image) as opened, torch.no_grad():
            pipeline.run(opened.convert("RGBA"), seed=request.seed_all(), output_glb=path)
        return path

    return reconstruct
