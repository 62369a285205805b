"""Wonder3D: six views and their normals by diffusion, then a surface by instant-nsr-pl in a second process.

The second process is there because both halves have a top-level package `utils`; it has no model to keep.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Any, Callable, Mapping

from specsia_worker import Request, enter, weights

CONFIG = "configs/mvdiffusion-joint-ortho-6views.yaml"
VIEWS = ["front", "front_right", "right", "back", "left", "front_left"]
GUIDANCE = 1.0


def load(settings: Mapping[str, Any]) -> Callable[[Request], str]:
    """Load the diffusion pipeline; see `specsia_worker`."""
    root = enter(settings["root"])
    import test_mvdiffusion_seq as seq
    import torch
    from omegaconf import OmegaConf
    from utils.misc import load_config

    config = OmegaConf.merge(OmegaConf.structured(seq.TestConfig), load_config(CONFIG))
    config.pretrained_model_name_or_path = weights(settings, "wonder3d")
    config.validation_guidance_scales = [GUIDANCE]
    # The script sets this global only where it is run by itself.
    seq.VIEWS = VIEWS
    pipeline = seq.load_wonder3d_pipeline(config)

    def views_of(request: Request, folder: str) -> str:
        pictures = os.path.join(request.scratch, "pictures")
        os.makedirs(pictures)
        shutil.copyfile(request.image, os.path.join(pictures, "scene.png"))
        own = OmegaConf.create(OmegaConf.to_container(config))
        own.seed = request.seed_all()
        own.save_dir = folder
        own.validation_dataset.root_dir = pictures
        own.validation_dataset.filepaths = ["scene.png"]
        dataset = seq.MVDiffusionDataset(**own.validation_dataset)
        loader = torch.utils.data.DataLoader(dataset, batch_size=1, shuffle=False, num_workers=0)
        with torch.no_grad():
            seq.log_validation_joint(loader, pipeline, own, seq.weight_dtype, "validation", folder)
        size = int(own.validation_dataset.crop_size)
        return os.path.join(folder, "cropsize-{}-cfg{:.1f}".format(size, GUIDANCE))

    def reconstruct(request: Request) -> str:
        data = views_of(request, os.path.join(request.scratch, "views"))
        mesh = request.out("mesh.obj")
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wonder3d_surface.py")
        arguments = [os.path.join(root, "instant-nsr-pl"), data, "scene", mesh, str(request.seed)]
        subprocess.run([sys.executable, script, *arguments], cwd=request.scratch, check=True)  # noqa: S603
        return mesh

    return reconstruct
