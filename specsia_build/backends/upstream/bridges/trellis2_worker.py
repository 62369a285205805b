"""TRELLIS.2: sparse voxels by three flow models, then a mesh with baked materials."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from specsia_worker import Request, enter, weights

FACES, TEXELS = 100000, 2048
BOX = [[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]]


def load(settings: Mapping[str, Any]) -> Callable[[Request], str]:
    """Load the pipeline; see `specsia_worker`."""
    enter(settings["root"])
    import o_voxel
    from PIL import Image
    from trellis2.pipelines import Trellis2ImageTo3DPipeline, rembg

    # Pictures have an alpha channel, so that the background remover is neither fetched nor called.
    rembg.BiRefNet = lambda *arguments, **options: None
    pipeline = Trellis2ImageTo3DPipeline.from_pretrained(weights(settings, "trellis2"))
    pipeline.cuda()

    def reconstruct(request: Request) -> str:
        with Image.open(request.image) as opened:
            mesh = pipeline.run(opened.convert("RGBA"), seed=request.seed_all())[0]
        # The most that nvdiffrast takes.
        mesh.simplify(16777216)
        made = o_voxel.postprocess.to_glb(
            vertices=mesh.vertices,
            faces=mesh.faces,
            attr_volume=mesh.attrs,
            coords=mesh.coords,
            attr_layout=mesh.layout,
            voxel_size=mesh.voxel_size,
            aabb=BOX,
            decimation_target=FACES,
            texture_size=TEXELS,
            remesh=True,
            remesh_band=1,
            remesh_project=0,
        )
        path = request.out("mesh.glb")
        made.export(path)
        return path

    return reconstruct
