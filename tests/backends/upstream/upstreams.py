"""Stand-ins for the upstream projects: the same modules, names and arguments, tiny fakes in place of models.

What they build is `FIGURE`, given in the world of each project and written by its own rule of export, so that a bridge
that gives it back in our frame has undone that rule. They print, leave files behind and check how they are called.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

FIGURE_SOURCE = '''
import numpy

# A body, an arm on the +X side, a nose on the -Y side: no two of the eight candidates for a frame look alike.
BOXES = [
    ((-0.1, -0.1, -0.5), (0.1, 0.1, 0.5)),
    ((0.1, -0.05, 0.1), (0.4, 0.05, 0.2)),
    ((-0.05, -0.3, 0.2), (0.05, -0.1, 0.3)),
]
QUADS = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]


def figure():
    """Vertices (Z up, facing -Y) and triangles, outward."""
    points, faces = [], []
    for low, high in BOXES:
        at = len(points)
        points += [[(low, high)[i >> 2 & 1][0], (low, high)[i >> 1 & 1][1], (low, high)[i & 1][2]] for i in range(8)]
        for a, b, c, d in QUADS:
            faces += [[at + a, at + c, at + b], [at + a, at + d, at + c]]
    return numpy.array(points, float), numpy.array(faces)


def write_obj(path, points, faces):
    with open(path, "w") as stream:
        for p in points:
            stream.write("v %f %f %f %f %f %f\\n" % (*p, 1, 0, 0))
        for f in faces:
            stream.write("f %d %d %d\\n" % tuple(f + 1))
'''

PACKAGES = {
    "fake_figure.py": FIGURE_SOURCE,
    "torch/__init__.py": """
import contextlib
from types import SimpleNamespace
import numpy
from . import utils

float16 = "float16"
SEEDS = []
device = str
cuda = SimpleNamespace(is_available=lambda: False)


def manual_seed(seed):
    SEEDS.append(seed)


@contextlib.contextmanager
def no_grad():
    yield


def load(path, map_location=None):
    assert open(path).read() == "weights", path
    return {"state_dict": {"lrm_generator.a": 1, "other": 2}}


class Tensor:
    def __init__(self, array):
        self.array = numpy.asarray(array)

    def permute(self, *axes):
        return Tensor(self.array.transpose(axes))

    def unsqueeze(self, axis):
        return Tensor(numpy.expand_dims(self.array, axis))

    def numpy(self):
        return self.array

    def clamp(self, low, high):
        return Tensor(self.array.clip(low, high))

    def to(self, device):
        return self

    contiguous = float = cpu = lambda self: self
    data = property(lambda self: self)


from_numpy = Tensor
""",
    "torch/utils/__init__.py": "from . import data\n",
    "torch/utils/data.py": """
class DataLoader:
    def __init__(self, dataset, batch_size, shuffle, num_workers):
        assert (batch_size, shuffle, num_workers) == (1, False, 0)
        self.dataset = dataset

    def __iter__(self):
        return iter([self.dataset[0]])
""",
    "torchvision/__init__.py": "",
    "torchvision/transforms/__init__.py": "from . import v2\n",
    "torchvision/transforms/v2.py": """
from types import SimpleNamespace

functional = SimpleNamespace(resize=lambda images, size, interpolation, antialias: images)
""",
    "einops.py": """
def rearrange(tensor, pattern, n, m):
    assert pattern == "c (n h) (m w) -> (n m) c h w" and (n, m) == (3, 2)
    c, h, w = tensor.array.shape
    parts = tensor.array.reshape(c, n, h // n, m, w // m).transpose(1, 3, 0, 2, 4)
    return type(tensor)(parts.reshape(n * m, c, h // n, w // m))
""",
    "omegaconf.py": """
import yaml


class Config(dict):
    def __getattr__(self, name):
        if name not in self:
            raise AttributeError(name)
        return self[name]

    def __setattr__(self, name, value):
        self[name] = value


def wrap(value):
    return Config({k: wrap(v) for k, v in value.items()}) if isinstance(value, dict) else value


class OmegaConf:
    @staticmethod
    def load(path):
        with open(path) as stream:
            return wrap(yaml.safe_load(stream))

    @staticmethod
    def structured(kind):
        assert "validation_dataset" in kind.__annotations__
        return Config()

    @staticmethod
    def merge(*configs):
        merged = Config()
        for config in configs:
            merged.update(config)
        return merged

    create = staticmethod(wrap)
    to_container = staticmethod(wrap)
    register_new_resolver = staticmethod(lambda name, function: None)
""",
    "pytorch_lightning/__init__.py": """
import os

def seed_everything(seed):
    assert 0 <= seed < 2**32
    os.environ["PL_GLOBAL_SEED"] = str(seed)


class Trainer:
    def __init__(self, devices, accelerator, logger, enable_checkpointing, enable_progress_bar, max_steps, **rest):
        assert (devices, accelerator) == (1, "gpu")
        assert logger is False and enable_checkpointing is False
        assert "strategy" not in rest, rest
        print("training for", max_steps)

    def fit(self, system, datamodule):
        datamodule.setup()

    def test(self, system, datamodule):
        system.export()
""",
    "huggingface_hub/__init__.py": """
import os

def snapshot_download(repository, revision=None, allow_patterns=None, local_files_only=False):
    assert bool(os.environ.get("HF_HUB_OFFLINE")) == local_files_only
    folder = os.path.join(os.environ["FAKE_HUB"], repository.replace("/", "--"), "snapshots", "c0ffee")
    os.makedirs(folder, exist_ok=True)
    for name in allow_patterns or ():
        with open(os.path.join(folder, name), "w") as stream:
            stream.write("weights")
    return folder
""",
    "rembg.py": """
def new_session(*arguments, **options):
    raise RuntimeError("would download a model")


def remove(image, **options):
    raise RuntimeError("our pictures bring their alpha")
""",
    "diffusers/__init__.py": """
import importlib.util
import os


class DiffusionPipeline:
    @staticmethod
    def from_pretrained(name, custom_pipeline, torch_dtype):
        assert os.path.isdir(name) and torch_dtype == "float16"
        path = os.path.join(custom_pipeline, "pipeline.py")
        if not os.path.exists(path):
            return Pipeline()
        spec = importlib.util.spec_from_file_location("custom", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.Zero123PlusPipeline()


class Pipeline:
    device = "cpu"


class EulerAncestralDiscreteScheduler:
    @staticmethod
    def from_config(config, timestep_spacing):
        assert timestep_spacing == "trailing"
        return config


class DDIMScheduler:
    def __init__(self, **settings):
        assert settings["beta_schedule"] == "scaled_linear"

    @classmethod
    def from_pretrained(cls, name, **options):
        raise RuntimeError("the repository is no longer there")
""",
}

WONDER3D = {
    "test_mvdiffusion_seq.py": """
import os
from dataclasses import dataclass
from typing import Dict, Optional
from mvdiffusion.data.single_image_dataset import SingleImageDataset as MVDiffusionDataset

print("Wonder3D is imported")
weight_dtype = "float16"


@dataclass
class TestConfig:
    pretrained_model_name_or_path: str
    validation_dataset: Dict
    save_dir: str
    seed: Optional[int]


def load_wonder3d_pipeline(cfg):
    assert os.path.isdir(cfg.pretrained_model_name_or_path)
    return object()


def log_validation_joint(dataloader, pipeline, cfg, weight_dtype, name, save_dir):
    assert cfg.validation_guidance_scales == [1.0]
    for batch in dataloader:
        folder = os.path.join(save_dir, f"cropsize-{cfg.validation_dataset.crop_size}-cfg1.0", batch["filename"])
        os.makedirs(folder)
        for view in VIEWS:
            with open(os.path.join(folder, f"normals_000_{view}.png"), "w") as stream:
                stream.write(str(cfg.seed))


if __name__ == "__main__":
    VIEWS = []
""",
    "utils/misc.py": """
from omegaconf import OmegaConf

def load_config(*yaml_files, cli_args=[]):
    return OmegaConf.merge(*[OmegaConf.load(path) for path in yaml_files])
""",
    "mvdiffusion/data/single_image_dataset.py": """
import os
from PIL import Image

class SingleImageDataset:
    def __init__(self, root_dir, num_views, img_wh, bg_color, crop_size=224, single_image=None,
                 num_validation_samples=None, filepaths=None, cond_type=None):
        assert os.path.exists("mvdiffusion/data/fixed_poses/nine_views/000_front_RT.txt")
        assert (crop_size, bg_color, num_views) == (192, "white", 6)
        self.name = filepaths[0]
        assert Image.open(os.path.join(root_dir, self.name)).mode == "RGBA"

    def __getitem__(self, index):
        return {"filename": self.name.replace(".png", "")}
""",
    "mvdiffusion/data/fixed_poses/nine_views/000_front_RT.txt": "1 0 0 0\n",
    "mvdiffusion/pipelines/pipeline_mvdiffusion_image.py": """
class MVDiffusionImagePipeline:
    def __call__(self, image, camera_embedding=None, guidance_scale=7.5, eta=0.0, generator=None):
        pass
""",
    "configs/mvdiffusion-joint-ortho-6views.yaml": """
pretrained_model_name_or_path: 'flamehaze1115/wonder3d-v1.0'
validation_dataset:
  {root_dir: ./example_images, num_views: 6, bg_color: white, img_wh: [256, 256], crop_size: 192, filepaths: [owl.png]}
validation_guidance_scales: [1.0, 3.0]
save_dir: outputs/
seed: 42
""",
    "instant-nsr-pl/utils/misc.py": """
from omegaconf import OmegaConf

def load_config(*yaml_files, cli_args=[]):
    return OmegaConf.merge(*[OmegaConf.load(path) for path in yaml_files])
""",
    "instant-nsr-pl/utils/mixins.py": """
import os
from fake_figure import write_obj

class SaverMixin:
    def save_mesh(self, filename, v_pos, t_pos_idx, v_tex=None, t_tex_idx=None, v_rgb=None, ortho_scale=1):
        v_pos = v_pos * ortho_scale * 0.5
        os.makedirs(self.config.save_dir)
        # The project swaps two axes, which mirrors, and then turns the faces outward again.
        write_obj(os.path.join(self.config.save_dir, filename), v_pos[:, [0, 2, 1]], t_pos_idx[:, ::-1])
""",
    "instant-nsr-pl/datasets/__init__.py": """
def make(name, config):
    from .ortho import OrthoDataModule
    assert name == "ortho"
    return OrthoDataModule(config)
""",
    "instant-nsr-pl/datasets/ortho.py": """
import os

class OrthoDataModule:
    def __init__(self, config):
        self.config = config

    def setup(self):
        assert os.path.exists("datasets/fixed_poses/000_front_RT.txt")
        path = os.path.join(self.config.root_dir, self.config.scene, "normals_000_front.png")
        with open(path) as stream:
            assert stream.read() == os.environ["PL_GLOBAL_SEED"]
""",
    "instant-nsr-pl/datasets/fixed_poses/000_front_RT.txt": "1 0 0 0\n",
    "instant-nsr-pl/systems/__init__.py": """
def make(name, config, load_from_checkpoint=None):
    from .neus_ortho import OrthoNeuSSystem
    assert name == "ortho-neus-system"
    return OrthoNeuSSystem(config)
""",
    "instant-nsr-pl/systems/neus_ortho.py": """
from fake_figure import figure
from utils.mixins import SaverMixin

class OrthoNeuSSystem(SaverMixin):
    def __init__(self, config):
        self.config = config

    def export(self):
        print("export")
        points, faces = figure()
        self.save_mesh("it3000-mc192.obj", points, faces, ortho_scale=self.config.export.ortho_scale)
""",
    "instant-nsr-pl/configs/neuralangelo-ortho-wmask.yaml": """
name: scene
seed: 42
dataset: {name: ortho, root_dir: /nowhere, scene: scene_name}
system: {name: ortho-neus-system}
export: {ortho_scale: 1.35}
trainer: {max_steps: 3000, precision: 16, enable_progress_bar: true}
""",
}

DRAWINGSPINUP = {
    "mv.py": """
import argparse
import os
from diffusers import DiffusionPipeline
from mvdiffusion.data.single_image_dataset import SingleImageDataset
from omegaconf import OmegaConf
from PIL import Image

assert os.path.exists("dis_pretrained/isnet_dis.onnx")


def load_config(*yaml_files, cli_args=[]):
    return OmegaConf.merge(*[OmegaConf.load(path) for path in yaml_files])


def load_wonder3d_pipeline(config):
    return DiffusionPipeline.from_pretrained(
        config.pretrained_model_name_or_path, custom_pipeline="flamehaze1115/wonder3d-pipeline", torch_dtype="float16"
    )


def mv(uid, pipeline, config, write_image=True):
    print(uid)
    assert pipeline.device == "cpu"
    config.output_dir = os.path.join(config.data_root, uid, args.save_folder)
    picture = Image.open(os.path.join(config.data_root, uid, args.img_fn))
    assert picture.mode == "RGBA"
    for kind in ("normal", "color", "mask"):
        os.makedirs(os.path.join(config.output_dir, kind))
    with open(os.path.join(config.output_dir, "normal", "front.png"), "w") as stream:
        stream.write(str(int(config.seed)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    args = parser.parse_args()
""",
    "recon.py": """
import os
import pytorch_lightning as pl
from pytorch_lightning import Trainer
from instant_nsr import datasets
from instant_nsr import systems
from omegaconf import OmegaConf


def load_config(*yaml_files, cli_args=[]):
    return OmegaConf.merge(*[OmegaConf.load(path) for path in yaml_files])


def recon(uid, config):
    config.dataset.uid = uid
    config.dataset.input_dir = os.path.join(config.dataset.data_root, uid, "mv")
    config.export.output_dir = os.path.join(config.dataset.data_root, uid, "mesh")
    assert config.export.thinning is False
    pl.seed_everything(config.seed)
    dm = datasets.make(config.dataset.name, config.dataset)
    system = systems.make(config.system.name, config)
    trainer = Trainer(devices=1, accelerator="gpu", strategy="ddp_find_unused_parameters_false", **config.trainer)
    trainer.fit(system, datamodule=dm)
    trainer.test(system, datamodule=dm)
""",
    "mvdiffusion/data/single_image_dataset.py": """
class SingleImageDataset:
    def __init__(self, num_views, img_wh, bg_color, crop_size=-1, single_image=None, cond_type=None):
        pass
""",
    "mvdiffusion/data/fixed_poses/nine_views/000_front_RT.txt": "1 0 0 0\n",
    "instant_nsr/datasets/fixed_poses/000_front_RT.txt": "1 0 0 0\n",
    "instant_nsr/datasets/__init__.py": """
def make(name, config):
    from .ortho import OrthoDataModule
    return OrthoDataModule(config)
""",
    "instant_nsr/datasets/ortho.py": """
import os
from PIL import Image

class OrthoDataModule:
    def __init__(self, config):
        self.config = config

    def setup(self):
        root = self.config.input_dir.split("mv")[0]
        assert Image.open(os.path.join(root, "char/mask.png")).mode == "L"
        with open(os.path.join(self.config.input_dir, "normal", "front.png")) as stream:
            assert stream.read() == os.environ["PL_GLOBAL_SEED"]
""",
    "instant_nsr/systems/__init__.py": """
def make(name, config, load_from_checkpoint=None):
    from .neus_ortho import OrthoNeuSSystem
    return OrthoNeuSSystem(config)
""",
    "instant_nsr/systems/neus_ortho.py": """
from fake_figure import figure
from instant_nsr.utils.mesh_utils import save_mesh

class OrthoNeuSSystem:
    def __init__(self, config):
        self.config = config

    def export(self):
        points, faces = figure()
        save_mesh(self.config.export, points / 0.675, faces, None)
""",
    "instant_nsr/utils/mesh_utils.py": """
import os
from fake_figure import write_obj

def save_mesh(config, verts, faces, vert_colors):
    os.makedirs(config.output_dir)
    verts = verts * 0.5 * config.ortho_scale
    verts = verts[:, [0, 2, 1]] * [1, 1, -1]
    write_obj(os.path.join(config.output_dir, "it3000-mc512-f50000_c_r_s_cbp.obj"), verts, faces)
""",
    "configs/mvdiffusion-joint-ortho-6views.yaml": """
seed: 123456
pretrained_model_name_or_path: 'flamehaze1115/wonder3d-v1.0'
data_root: '../dataset'
views: [front, front_right, right, back, left, front_left]
validation_dataset: {num_views: 6, bg_color: white, img_wh: [256, 256], crop_size: -1}
""",
    "configs/neuralangelo-ortho-wmask.yaml": """
seed: 123456
dataset: {name: ortho, data_root: ../dataset}
export: {ortho_scale: 1.35, thinning: true}
system: {name: ortho-neus-system}
trainer: {max_steps: 3000, precision: 16, enable_progress_bar: true}
""",
    "dis_pretrained/isnet_dis.onnx": "",
}

INSTANTMESH = {
    "src/utils/train_util.py": """
import importlib

def instantiate_from_config(config):
    module, name = config["target"].rsplit(".", 1)
    return getattr(importlib.import_module(module), name)(**config["params"])
""",
    "src/utils/camera_util.py": """
from torch import Tensor

def get_zero123plus_input_cameras(batch_size=1, radius=4.0, fov=30.0):
    assert radius == 4.0
    return Tensor([0.0])
""",
    "src/utils/infer_util.py": """
from PIL import Image

def resize_foreground(image, ratio):
    assert ratio == 0.85 and image.mode == "RGBA"
    left, top, right, bottom = image.getchannel("A").getbbox()
    side = int(max(right - left, bottom - top) / ratio)
    square = Image.new("RGBA", (side, side))
    square.paste(image.crop((left, top, right, bottom)))
    return square
""",
    "src/utils/mesh_util.py": """
import os

def save_obj_with_mtl(pointnp_px3, tcoords_px2, facenp_fx3, facetex_fx3, texmap_hxwx3, fname):
    from PIL import Image
    base = os.path.splitext(fname)[0]
    name = os.path.basename(base)
    with open(base + ".mtl", "w") as stream:
        stream.write(f"newmtl material_0\\nKd 1 1 1\\nmap_Kd {name}.png\\n")
    with open(fname, "w") as stream:
        stream.write(f"mtllib {name}.mtl\\n")
        for p in pointnp_px3:
            stream.write("v %f %f %f\\n" % tuple(p))
        for t in tcoords_px2:
            stream.write("vt %f %f\\n" % tuple(t))
        stream.write("usemtl material_0\\n")
        for f, t in zip(facenp_fx3 + 1, facetex_fx3 + 1):
            stream.write("f %d/%d %d/%d %d/%d\\n" % (f[0], t[0], f[1], t[1], f[2], t[2]))
    Image.fromarray((texmap_hxwx3 * 255).astype("uint8")).save(base + ".png")
""",
    "src/models/lrm_mesh.py": """
import os
import numpy
from fake_figure import figure
from torch import Tensor

class InstantMesh:
    def __init__(self, encoder_model_name, grid_res):
        assert os.path.isdir(encoder_model_name) and grid_res == 128

    def load_state_dict(self, state, strict):
        assert state == {"a": 1} and strict

    def to(self, device):
        return self

    def eval(self):
        return self

    def init_flexicubes_geometry(self, device, fovy=50.0):
        assert fovy == 30.0

    def forward_planes(self, images, cameras):
        assert images.array.shape == (1, 6, 3, 320, 320)
        return images

    def extract_mesh(self, planes, use_texture_map=False, texture_resolution=1024, **kwargs):
        assert use_texture_map
        points, faces = figure()
        # Its camera at azimuth 0 stands on +x and has +y to its right.
        world = numpy.stack([-points[:, 1], points[:, 0], points[:, 2]], 1) * 0.9
        texture = numpy.zeros((3, texture_resolution // 64, texture_resolution // 64))
        texture[0] = 1
        uvs = numpy.full((1, 2), 0.5)
        return Tensor(world), Tensor(faces.copy()), Tensor(uvs), Tensor(faces * 0), Tensor(texture)
""",
    "zero123plus/pipeline.py": """
from types import SimpleNamespace
from PIL import Image

class Zero123PlusPipeline:
    def __init__(self):
        self.scheduler = SimpleNamespace(config={})
        self.unet = SimpleNamespace(load_state_dict=lambda state, strict: None)

    def to(self, device):
        return self

    def __call__(self, image=None, prompt="", *args, num_inference_steps=28, output_type="pil", **kwargs):
        assert num_inference_steps == 75 and image.size[0] == image.size[1]
        return SimpleNamespace(images=[Image.new("RGB", (640, 960))])
""",
    "configs/instant-mesh-large.yaml": """
model_config:
  target: src.models.lrm_mesh.InstantMesh
  params: {encoder_model_name: facebook/dino-vitb16, grid_res: 128}
infer_config: {unet_path: ckpts/a.bin, model_path: ckpts/b.ckpt, texture_resolution: 1024, render_resolution: 512}
""",
}

CRM = {
    "run.py": """
import rembg
from PIL import Image

rembg_session = rembg.new_session()


def preprocess_image(image, background_choice, foreground_ratio, backgroud_color):
    assert (background_choice, foreground_ratio) == ("Alpha as mask", 1.0)
    return Image.alpha_composite(Image.new("RGBA", image.size, backgroud_color), image).convert("RGB")


if __name__ == "__main__":
    raise SystemExit
""",
    "pipelines.py": """
import numpy
import rembg
import torch

rembg_session = rembg.new_session()


class TwoStagePipeline(object):
    def __init__(self, stage1_model_config, stage2_model_config, stage1_sampler_config, stage2_sampler_config,
                 device="cuda", dtype=torch.float16, resize_rate=1):
        torch.load(stage1_model_config.resume), torch.load(stage2_model_config.resume)
        self.seed = None

    def set_seed(self, seed):
        self.seed = seed

    def __call__(self, pixel_img, prompt="3D assets", scale=5, step=50):
        assert (scale, step, pixel_img.mode) == (5.0, 50, "RGB")
        assert pixel_img.getpixel((0, 0)) == (127, 127, 127)
        assert torch.SEEDS[-1] == self.seed
        images = [numpy.zeros((256, 256, 3), "uint8")] * 6
        return {"stage1_images": images, "stage2_images": images}
""",
    "inference.py": """
import tempfile
import zipfile

def generate3d(model, rgb, ccm, device):
    assert rgb.shape == ccm.shape == (256, 256 * 6, 3)
    name = tempfile.NamedTemporaryFile(suffix="", delete=False).name
    model.export_mesh_wt_uv(None, {}, name, "", device, res=(1024, 1024))
    glb = tempfile.NamedTemporaryFile(suffix="", delete=False).name
    with zipfile.ZipFile(name + ".zip", "w") as archive:
        for ending in (".obj", ".png", ".mtl"):
            archive.write(name + ending, name.split("/")[-1] + ending)
    return glb + ".glb", name + ".zip"
""",
    "model/__init__.py": "from model.crm.model import CRM\n",
    "model/crm/model.py": """
from fake_figure import figure, write_obj

class CRM:
    def __init__(self, specs):
        from diffusers import DDIMScheduler
        assert specs["Train"]["geo_type"] == "flex"
        self.scheduler = DDIMScheduler.from_pretrained("stabilityai/stable-diffusion-2-1-base", subfolder="scheduler")

    def to(self, device):
        return self

    def load_state_dict(self, state, strict=True):
        assert not strict

    def export_mesh_wt_uv(self, ctx, data, out_dir, ind, device, res, tri_fea_2=None):
        points, faces = figure()
        world = points * [-1, -1, 1] * 0.7
        write_obj(out_dir + ".obj", world[:, [0, 2, 1]] * [1, 1, -1], faces)
        for ending in (".png", ".mtl"):
            open(out_dir + ending, "w").close()
""",
    "configs/specs_objaverse_total.json": '{"Train": {"geo_type": "flex"}}',
    "imagedream/configs/sd_v2_base_ipmv_zero_SNR.yaml": "model: {}\n",
    "configs/nf7_v3_SNR_rd_size_stroke.yaml": "config: {models: {config: a, resume: b}, sampler: {target: a}}\n",
    "configs/stage2-v2-snr.yaml": "config: {models: {config: a, resume: b}, sampler: {target: a}}\n",
}

FILES = {
    "wonder3d": WONDER3D,
    "drawingspinup": {f"2_charactor_reconstructor/{name}": text for name, text in DRAWINGSPINUP.items()},
    "instantmesh": INSTANTMESH,
    "crm": CRM,
}


def write_files(root: Path, files: dict[str, str]) -> Path:
    """Write texts by path below a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"))
    return root


def write_upstream(root: Path, name: str) -> Path:
    """A checkout of a stand-in."""
    return write_files(root, FILES[name])


def write_environment(folder: Path) -> Path:
    """An environment with the fakes, and numpy, Pillow and YAML of this one; returns its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = next(folder.glob("lib/python*/site-packages"))
    write_files(site, PACKAGES)
    (site / "real.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder / "bin" / "python"
