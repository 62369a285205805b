"""Hunyuan3D 2.1: a shape by a diffusion model, then a texture painted by another."""

from __future__ import annotations

import os
import sys
from typing import Any, Callable, Mapping

from specsia_worker import Request, enter, weights

SHAPE, PAINT = "hy3dshape", "hy3dpaint"
VIEWS, SIZE = 6, 512


def load(settings: Mapping[str, Any]) -> Callable[[Request], str]:
    """Load both pipelines; see `specsia_worker`."""
    root = enter(settings["root"])
    sys.path[:0] = [os.path.join(root, SHAPE), os.path.join(root, PAINT)]
    import torch
    from hy3dshape.pipelines import Hunyuan3DDiTFlowMatchingPipeline
    from PIL import Image
    from textureGenPipeline import Hunyuan3DPaintConfig, Hunyuan3DPaintPipeline
    from torchvision_fix import apply_fix

    apply_fix()
    own = weights(settings, "hunyuan3d")
    shape = Hunyuan3DDiTFlowMatchingPipeline.from_pretrained(own)
    config = Hunyuan3DPaintConfig(VIEWS, SIZE)
    config.multiview_pretrained_path = own
    config.dino_ckpt_path = weights(settings, "dino")
    config.realesrgan_ckpt_path = os.path.join(PAINT, "ckpt", "RealESRGAN_x4plus.pth")
    config.multiview_cfg_path = os.path.join(PAINT, "cfgs", "hunyuan-paint-pbr.yaml")
    config.custom_pipeline = os.path.join(PAINT, "hunyuanpaintpbr")
    paint = Hunyuan3DPaintPipeline(config)

    def reconstruct(request: Request) -> str:
        generator = torch.Generator().manual_seed(request.seed_all())
        with Image.open(request.image) as opened:
            picture = opened.convert("RGBA")
        plain = os.path.join(request.scratch, "shape.glb")
        shape(image=picture, generator=generator)[0].export(plain)
        return str(paint(plain, picture, request.out("mesh.obj"), save_glb=False))

    return reconstruct
