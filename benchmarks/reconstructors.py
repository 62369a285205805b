"""Axes of TripoSR and Stable Fast 3D, by their code: ``python -m benchmarks.reconstructors NAME CHECKOUT``.

Builds the network of a checkout (`triposr` or `sf3d`) with few random weights on the CPU, runs the bridge's
worker on it, and has its field answer with a figure that looks alike from no two sides. The picture is the
figure before the camera that the network's code states for its input. Of 48 turns and mirrors of the mesh,
the axes in ``manifests/backends/NAME.yaml`` must look most like it; prints the best, exits with 1 if not.

Needs torch, transformers, einops, omegaconf, jaxtyping and trimesh. Compiled parts are replaced: marching
cubes by scikit-image's, the unwrapper and the baker of textures by a texel for each corner.
"""

import importlib.machinery
import os
import shutil
import sys
import tempfile
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import click
import numpy as np

from specsia_build import png
from specsia_build.backends.base import Context
from specsia_build.backends.placing import read_placed
from specsia_build.backends.scoring import in_frames
from specsia_build.backends.settings import Terms
from specsia_build.backends.upstream import worker
from specsia_build.backends.upstream.bridged import BRIDGES
from specsia_build.backends.upstream.pins import read_pins
from specsia_build.frame import axis_names

SIZE, CELLS = 128, 40
BOXES = (
    ((-0.1, -0.15, -0.5), (0.02, 0.15, 0.5), (0.9, 0.9, 0.2)),
    ((0.02, -0.15, -0.5), (0.1, 0.15, 0.5), (0.9, 0.2, 0.2)),
    ((-0.05, 0.15, 0.1), (0.05, 0.4, 0.2), (0.2, 0.8, 0.2)),
    ((0.1, -0.1, 0.2), (0.35, 0.05, 0.35), (0.2, 0.3, 0.9)),
)
"""Corners and colour of each part of the figure, in the network's units; it is 0.35 to 0.5 to every side."""

TRIPOSR_CONFIG = """
cond_image_size: 64
image_tokenizer_cls: tsr.models.tokenizers.image.DINOSingleImageTokenizer
image_tokenizer: {}
tokenizer_cls: tsr.models.tokenizers.triplane.Triplane1DTokenizer
tokenizer: {plane_size: 8, num_channels: 64}
backbone_cls: tsr.models.transformer.transformer_1d.Transformer1D
backbone:
  {in_channels: 64, num_attention_heads: 2, attention_head_dim: 32, num_layers: 1, cross_attention_dim: 32}
post_processor_cls: tsr.models.network_utils.TriplaneUpsampleNetwork
post_processor: {in_channels: 64, out_channels: 8}
decoder_cls: tsr.models.network_utils.NeRFMLP
decoder: {in_channels: 24, n_neurons: 16, n_hidden_layers: 2, activation: silu}
renderer_cls: tsr.models.nerf_renderer.TriplaneNeRFRenderer
renderer: {radius: 0.87, density_activation: exp}
"""
SF3D_CONFIG = f"""
cond_image_size: 56
isosurface_resolution: {CELLS}
radius: 0.87
camera_embedder_cls: sf3d.models.camera.LinearCameraEmbedder
camera_embedder: {{in_channels: 25, out_channels: 32, conditions: [c2w_cond, intrinsic_normed_cond]}}
image_tokenizer_cls: sf3d.models.tokenizers.image.DINOV2SingleImageTokenizer
image_tokenizer: {{width: 56, height: 56, modulation_cond_dim: 32}}
tokenizer_cls: sf3d.models.tokenizers.triplane.TriplaneLearnablePositionalEmbedding
tokenizer: {{plane_size: 8, num_channels: 64}}
backbone_cls: sf3d.models.transformers.backbone.TwoStreamInterleaveTransformer
backbone:
  {{num_attention_heads: 2, attention_head_dim: 32, raw_triplane_channels: 64, triplane_channels: 64,
  raw_image_channels: 64, num_latents: 16, num_blocks: 1, num_basic_blocks: 1, cross_attention_dim: 64}}
post_processor_cls: sf3d.models.network.PixelShuffleUpsampleNetwork
post_processor: {{in_channels: 64, out_channels: 8, scale_factor: 2, conv_layers: 1}}
decoder_cls: sf3d.models.network.MaterialMLP
decoder:
  in_channels: 24
  n_neurons: 16
  heads:
  - {{name: density, out_channels: 1, n_hidden_layers: 1}}
  - {{name: features, out_channels: 3, n_hidden_layers: 1}}
  - {{name: perturb_normal, out_channels: 3, n_hidden_layers: 1}}
  - {{name: vertex_offset, out_channels: 3, n_hidden_layers: 1}}
image_estimator_cls: estimators.Materials
image_estimator: {{}}
global_estimator_cls: estimators.Materials
global_estimator: {{}}
"""


def figure_at(points: np.ndarray, grown: float = 0.0) -> np.ndarray:
    """Colours of points (..., 3) with alpha 1 inside of the figure, whose parts may be grown, (..., 4)."""
    out = np.zeros((*points.shape[:-1], 4), np.float32)
    for low, high, colour in BOXES:
        inside = (points >= np.subtract(low, grown)) & (points <= np.add(high, grown))
        out[inside.all(axis=-1)] = (*colour, 1)
    return out


def picture(origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """The figure (S, S, 4) uint8 along rays (S, S, 3)."""
    seen = np.zeros((*origins.shape[:2], 4), np.float32)
    for distance in np.arange(0.8, 3, 0.005):
        here = figure_at(origins + directions * distance)
        seen = np.where(seen[..., 3:] > 0, seen, here)
    return np.round(seen * 255).astype(np.uint8)


def stub(name: str, **members: Any) -> None:
    """Put a module without a file in the place of one that is compiled, or fetches weights."""
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    module.__dict__.update(members)
    sys.modules[name] = module


def prepare_triposr(root: Path, weights: Path) -> np.ndarray:
    """Write random weights, let the field be the figure; returns the picture from the input's camera."""
    import torch
    from skimage.measure import marching_cubes
    from transformers import ViTConfig

    def cubes(level: Any, value: float) -> tuple[Any, Any]:
        vertices, faces, _, _ = marching_cubes(level.numpy(), value)
        # torchmcubes has the last index first.
        return torch.from_numpy(vertices[:, ::-1].copy()), torch.from_numpy(faces.astype(np.int64))

    stub("torchmcubes", marching_cubes=cubes)
    small = ViTConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    small.save_pretrained(weights)
    from tsr.models.nerf_renderer import TriplaneNeRFRenderer
    from tsr.models.tokenizers import image
    from tsr.system import TSR
    from tsr.utils import get_spherical_cameras

    image.hf_hub_download = lambda repo_id, filename: str(weights / filename)
    (weights / "config.yaml").write_text(TRIPOSR_CONFIG)
    torch.save(_random(TSR, weights / "config.yaml").state_dict(), weights / "model.ckpt")
    query = TriplaneNeRFRenderer.query_triplane

    def asked(self: Any, decoder: Any, positions: Any, triplane: Any) -> Any:
        answer = query(self, decoder, positions, triplane)
        inside, colour = (torch.from_numpy(figure_at(positions.numpy(), grown)) for grown in (0, 0.05))
        return {**answer, "density_act": inside[..., 3:] * 50, "color": colour[..., :3]}

    TriplaneNeRFRenderer.query_triplane = asked
    origins, directions = get_spherical_cameras(1, 0.0, 1.9, 40.0, SIZE, SIZE)
    return picture(origins[0].numpy(), directions[0].numpy())


def prepare_sf3d(root: Path, weights: Path) -> np.ndarray:
    """The same of Stable Fast 3D."""
    import torch
    from safetensors.torch import save_model

    class Materials(torch.nn.Module):
        def __init__(self, _: Any) -> None:
            super().__init__()

        def forward(self, _: Any) -> dict[str, Any]:
            return {name: torch.full((1, 1), 0.5) for name in ("decoder_roughness", "decoder_metallic")}

    class Unwrapper:
        def __call__(self, points: Any, normals: Any, faces: Any, padding: float) -> tuple[Any, Any]:
            """A texel of its own for each corner."""
            count = faces.numel()
            at = torch.arange(count)
            side = int(np.ceil(np.sqrt(count)))
            return torch.stack([(at % side + 0.5) / side, (at // side + 0.5) / side], -1), at.view(-1, 3)

    class Baker:
        def rasterize(self, uv: Any, faces: Any, size: int) -> Any:
            corner = torch.full((size, size), -1)
            row, column = ((1 - uv[:, 1]) * size).long(), (uv[:, 0] * size).long()
            corner[row, column] = torch.arange(len(uv))
            return corner

        def get_mask(self, corner: Any) -> Any:
            return corner >= 0

        def interpolate(self, values: Any, corner: Any, faces: Any) -> Any:
            return values[corner.clamp(min=0)]

    stub("texture_baker", TextureBaker=Baker)
    stub("uv_unwrapper", Unwrapper=Unwrapper)
    stub("estimators", Materials=Materials)
    for name in ("gpytoolbox", "pynanoinstantmeshes", "open_clip"):
        stub(name)
    _write_tetrahedra(root / "load" / "tets" / f"{CELLS}_tets.npz")
    from sf3d.models.tokenizers.dinov2 import Dinov2Config, Dinov2Model
    from sf3d.system import SF3D
    from sf3d.utils import default_cond_c2w

    small = Dinov2Config(
        hidden_size=64, num_hidden_layers=1, num_attention_heads=2, image_size=56, patch_size=14
    )
    Dinov2Model.from_pretrained = lambda _: Dinov2Model(small)
    (weights / "config.yaml").write_text(SF3D_CONFIG)
    save_model(_random(SF3D, weights / "config.yaml"), str(weights / "model.safetensors"))
    query = SF3D.query_triplane
    known: list[Any] = []

    def asked(self: Any, positions: Any, triplanes: Any) -> Any:
        known[:] = [torch.from_numpy(figure_at(positions.numpy(), grown)) for grown in (0, 0.05)]
        return query(self, positions, triplanes)

    def decoded(self: Any, _: Any, answer: dict[str, Any]) -> dict[str, Any]:
        replaced = {"density": known[0][..., 3:] * 20, "features": known[1][..., :3]}
        plain = {"vertex_offset": torch.zeros_like(known[0][..., :3])}
        return {name: {**replaced, **plain}.get(name, value) for name, value in answer.items()}

    SF3D.query_triplane = asked
    configure = SF3D.configure

    def hooked(self: Any) -> None:
        configure(self)
        self.decoder.register_forward_hook(decoded)

    SF3D.configure = hooked
    camera, at = default_cond_c2w(1.6).numpy(), (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    reach = np.tan(np.deg2rad(40) / 2)
    x, y = np.meshgrid(at * reach, -at * reach)
    directions = np.stack([x, y, -np.ones_like(x)], axis=-1) @ camera[:3, :3].T
    return picture(np.broadcast_to(camera[:3, 3], directions.shape), directions)


PREPARE: Mapping[str, Callable[[Path, Path], np.ndarray]] = {"triposr": prepare_triposr, "sf3d": prepare_sf3d}


def _random(kind: Any, config: Path) -> Any:
    from omegaconf import OmegaConf

    return kind(OmegaConf.load(config))


def _write_tetrahedra(path: Path) -> None:
    """Six tetrahedra for each cell of a grid, vertices in 0 to 1."""
    grid = np.stack(np.meshgrid(*[np.arange(CELLS + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    steps = np.array([(CELLS + 1) ** 2, CELLS + 1, 1])
    cells = (grid[(grid < CELLS).all(axis=1)] * steps).sum(axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    tetrahedra = np.concatenate([*_split(cells, steps)])
    np.savez(path, vertices=(grid / CELLS).astype(np.float32), indices=tetrahedra)


def _split(cells: np.ndarray, steps: np.ndarray) -> Iterator[np.ndarray]:
    """The tetrahedra along the six ways from a cell's first corner to its last, wound alike."""
    for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0), (1, 0, 2)):
        corners = [cells, *(cells + steps[list(order[: k + 1])].sum() for k in range(3))]
        even = order in ((0, 1, 2), (1, 2, 0), (2, 0, 1))
        yield np.stack(corners if even else [corners[k] for k in (0, 2, 1, 3)], axis=1)


@click.command(help=__doc__)
@click.argument("name", type=click.Choice([*PREPARE]))
@click.argument("checkout", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for the picture and the mesh.")
def main(name: str, checkout: Path, keep: Path | None) -> None:
    """See the module."""
    pins = read_pins(name)
    sys.modules["specsia_worker"] = worker
    sys.modules.setdefault("rembg", MagicMock())
    with tempfile.TemporaryDirectory(prefix="specsia-reconstructors-") as temporary:
        root, weights, made = (Path(temporary) / part for part in ("checkout", "weights", "made"))
        shutil.copytree(checkout, root, ignore=shutil.ignore_patterns(".git"))
        weights.mkdir()
        made.mkdir()
        sys.path.insert(0, str(root))
        goal = PREPARE[name](root, weights)
        path = Path(temporary) / "picture.png"
        path.write_bytes(png.encode(goal))
        script = str(BRIDGES / f"{name}_worker.py")
        bridge: Any = importlib.machinery.SourceFileLoader("bridge", script).load_module()
        bridge.RESOLUTION, here = 64, Path.cwd()
        reconstruct = bridge.load({"root": str(root), "weights": {name: {"source": str(weights)}}})
        mesh = Path(reconstruct(worker.Request({"image": str(path), "seed": 1}, str(made), str(made))))
        os.chdir(here)
        terms = Terms(axes=pins.axes, framing=pins.framing)
        placed = read_placed(mesh, terms, goal[..., 3], Context("figure", 1))
        if keep is not None:
            shutil.copytree(made, keep, dirs_exist_ok=True)
            shutil.copy(path, keep)
    turns = sorted(in_frames(placed, goal, "unlit"), key=lambda turned: turned.likeness.score, reverse=True)
    for turned in turns[:4]:
        like, axes = turned.likeness, " ".join(axis_names(turned.matrix))
        stated = f"  as stated: {', '.join(pins.axes)}" if turned.as_is else ""
        click.echo(f"{axes:10} IoU {like.iou:.3f}  colour {like.colour_difference:.3f}{stated}")
    sys.exit(not turns[0].as_is)


if __name__ == "__main__":
    main()
