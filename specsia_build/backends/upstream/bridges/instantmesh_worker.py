"""InstantMesh: six views by Zero123++, then a mesh with a texture by a large reconstruction model.

The upstream's `run.py` reads its command line at import, so that its parts are called here in its order.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Mapping

from specsia_worker import Request, enter, weights

CONFIG = "configs/instant-mesh-large.yaml"
PIPELINE = "zero123plus"
UNET, MODEL = "diffusion_pytorch_model.bin", "instant_mesh_large.ckpt"
FOREGROUND = 0.85
STEPS = 75
PREFIX = "lrm_generator."


def load(settings: Mapping[str, Any]) -> Callable[[Request], str]:
    """Load both models; see `specsia_worker`."""
    enter(settings["root"])
    import numpy
    import torch
    from diffusers import DiffusionPipeline, EulerAncestralDiscreteScheduler
    from einops import rearrange
    from omegaconf import OmegaConf
    from PIL import Image
    from src.utils.camera_util import get_zero123plus_input_cameras
    from src.utils.infer_util import resize_foreground
    from src.utils.mesh_util import save_obj_with_mtl
    from src.utils.train_util import instantiate_from_config
    from torchvision.transforms import v2

    device = torch.device("cuda")
    config = OmegaConf.load(CONFIG)
    own = weights(settings, "instantmesh")
    pipeline = DiffusionPipeline.from_pretrained(
        weights(settings, "zero123plus"), custom_pipeline=PIPELINE, torch_dtype=torch.float16
    )
    pipeline.scheduler = EulerAncestralDiscreteScheduler.from_config(
        pipeline.scheduler.config, timestep_spacing="trailing"
    )
    state = torch.load(os.path.join(own, UNET), map_location="cpu")
    pipeline.unet.load_state_dict(state, strict=True)
    pipeline = pipeline.to(device)

    config.model_config.params.encoder_model_name = weights(settings, "dino")
    model = instantiate_from_config(config.model_config)
    state = torch.load(os.path.join(own, MODEL), map_location="cpu")["state_dict"]
    kept = {name[len(PREFIX) :]: value for name, value in state.items() if name.startswith(PREFIX)}
    model.load_state_dict(kept, strict=True)
    model = model.to(device)
    model.init_flexicubes_geometry(device, fovy=30.0)
    model = model.eval()
    cameras = get_zero123plus_input_cameras(batch_size=1, radius=4.0).to(device)

    def reconstruct(request: Request) -> str:
        request.seed_all()
        with Image.open(request.image) as opened:
            picture = resize_foreground(opened.convert("RGBA"), FOREGROUND)
        views = pipeline(picture, num_inference_steps=STEPS).images[0]
        array = numpy.asarray(views, dtype=numpy.float32) / 255.0
        images = torch.from_numpy(array).permute(2, 0, 1).contiguous().float()
        images = rearrange(images, "c (n h) (m w) -> (n m) c h w", n=3, m=2).unsqueeze(0).to(device)
        images = v2.functional.resize(images, 320, interpolation=3, antialias=True).clamp(0, 1)
        mesh = request.out("mesh.obj")
        with torch.no_grad():
            planes = model.forward_planes(images, cameras)
            vertices, faces, uvs, texture_faces, texture = model.extract_mesh(
                planes, use_texture_map=True, texture_resolution=int(config.infer_config.texture_resolution)
            )
            save_obj_with_mtl(
                vertices.data.cpu().numpy(),
                uvs.data.cpu().numpy(),
                faces.data.cpu().numpy(),
                texture_faces.data.cpu().numpy(),
                texture.permute(1, 2, 0).data.cpu().numpy(),
                mesh,
            )
        return mesh

    return reconstruct
