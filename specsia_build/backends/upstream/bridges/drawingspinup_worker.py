"""DrawingSpinUp's variant of Wonder3D, which the published dataset was made with."""

from __future__ import annotations

import argparse
import glob
import os
import shutil
import tempfile
from typing import Any, Callable, Mapping

from specsia_worker import InputError, Request, enter, weights

VIEWS_CONFIG = "configs/mvdiffusion-joint-ortho-6views.yaml"
SURFACE_CONFIG = "configs/neuralangelo-ortho-wmask.yaml"
UID = "character"
PICTURE = "char/ffc_resnet_inpainted.png"


def data_root(scratch: str) -> str:
    """A new folder whose path is free of the letters "mv", at which the upstream cuts paths."""
    for base in (scratch, "/tmp", "/var/tmp"):  # noqa: S108  only where the scratch folder will not do
        if "mv" in os.path.abspath(base) or not os.access(base, os.W_OK):
            continue
        for _ in range(20):
            folder = tempfile.mkdtemp(dir=base)
            if "mv" not in folder:
                return folder
            os.rmdir(folder)
    raise InputError("DrawingSpinUp needs a temporary folder whose path lacks the letters 'mv': set TMPDIR")


def pinned(pipeline: Any, settings: Mapping[str, Any]) -> Any:
    """The class `DiffusionPipeline`, except that its own code comes from the pinned revision."""

    class Pinned:
        @staticmethod
        def from_pretrained(name: str, custom_pipeline: str, **options: Any) -> Any:
            return pipeline.from_pretrained(name, custom_pipeline=weights(settings, "pipeline"), **options)

    return Pinned


def write_inputs(image: str, folder: str) -> None:
    """The picture and its mask where the upstream looks for them; it keeps the framing."""
    from PIL import Image

    os.makedirs(os.path.join(folder, "char"))
    with Image.open(image) as opened:
        picture = opened.convert("RGBA")
    for name in (PICTURE, "char/texture.png"):
        picture.save(os.path.join(folder, name))
    picture.getchannel("A").save(os.path.join(folder, "char", "mask.png"))


def load(settings: Mapping[str, Any]) -> Callable[[Request], str]:
    """Load the diffusion pipeline; see `specsia_worker`."""
    enter(settings["root"], "2_charactor_reconstructor")
    import mv
    import recon
    import torch

    # The script sets this global only where it is run by itself.
    mv.args = argparse.Namespace(img_fn=PICTURE, save_folder="mv")
    mv.DiffusionPipeline = pinned(mv.DiffusionPipeline, settings)
    trainer = recon.Trainer
    plain = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    recon.Trainer = lambda strategy=None, **options: trainer(**dict(options, **plain))
    views = mv.load_config(VIEWS_CONFIG)
    views.pretrained_model_name_or_path = weights(settings, "wonder3d")
    pipeline = mv.load_wonder3d_pipeline(views)

    def reconstruct(request: Request) -> str:
        top = data_root(request.scratch)
        try:
            write_inputs(request.image, os.path.join(top, UID))
            own = mv.load_config(VIEWS_CONFIG)
            own.data_root, own.seed = top, request.seed_all()
            with torch.no_grad():
                mv.mv(UID, pipeline, own)
            surface = recon.load_config(SURFACE_CONFIG)
            surface.dataset.data_root, surface.seed = top, request.seed
            # Thinning suits only the drawings that its list of ids names.
            surface.export.thinning = False
            recon.recon(UID, surface)
            written = sorted(glob.glob(os.path.join(glob.escape(top), UID, "mesh", "*.obj")))
            if len(written) != 1:
                raise RuntimeError("DrawingSpinUp wrote {} meshes, not one".format(len(written)))
            shutil.move(written[0], request.out("mesh.obj"))
        finally:
            shutil.rmtree(top, ignore_errors=True)
        return request.out("mesh.obj")

    return reconstruct
