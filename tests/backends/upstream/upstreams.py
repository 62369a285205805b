"""Stand-ins for the upstream projects: their modules accept every call and write a figure where a mesh is
due.

The bridges run in an environment in which every module of a checkout, and torch and its relatives, is a mock.
Where an upstream writes its mesh, a function writes the figure by that project's rule of export, so that a
bridge that gives it back in our frame has undone the rule.
"""

import subprocess
import sys
import sysconfig
from pathlib import Path

from specsia_build.backends.upstream.pins import read_pins

FIGURE_SOURCE = '''
# A body, an arm on the +X side, a nose on the -Y side: no two of the candidates for a frame look alike.
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
        ends = (low, high)
        points += [[ends[i >> 2 & 1][0], ends[i >> 1 & 1][1], ends[i & 1][2]] for i in range(8)]
        for a, b, c, d in QUADS:
            faces += [[at + a, at + c, at + b], [at + a, at + d, at + c]]
    return points, faces
'''

FAKES = (
    FIGURE_SOURCE
    + """
import importlib.abc, importlib.machinery, os, sys, zipfile
from unittest.mock import MagicMock

MOCKED = (
    "torch torchvision einops omegaconf diffusers rembg pytorch_lightning inference model pipelines run src "
    "test_mvdiffusion_seq utils datasets systems mv recon numpy"
).split()


def write_obj(path, rows, mirrored=False):
    points, faces = figure()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as stream:
        for p in points:
            stream.write("v %f %f %f 1 0 0\\n" % rows(*p))
        for f in faces:
            stream.write("f %d %d %d\\n" % tuple(i + 1 for i in (f[::-1] if mirrored else f)))


class Trainer:
    def __init__(self, devices, accelerator, logger, enable_checkpointing, **rest):
        assert (devices, accelerator, logger, enable_checkpointing) == (1, "gpu", False, False)

    def fit(self, config, datamodule): ...

    def test(self, config, datamodule):
        # Two axes are swapped, which mirrors, and the faces turned outward again.
        write_obj(os.path.join(config.save_dir, "a.obj"), lambda x, y, z: (x, z, y), mirrored=True)


def generate3d(model, rgb, ccm, device):
    folder = os.path.join(os.environ["FAKE_HUB"], "crm")
    write_obj(os.path.join(folder, "mesh.obj"), lambda x, y, z: (-x, z, y))
    with zipfile.ZipFile(folder + ".zip", "w") as archive:
        archive.write(os.path.join(folder, "mesh.obj"), "mesh.obj")
    return None, folder + ".zip"


def recon(uid, config):
    assert "mv" not in config.dataset.data_root
    assert os.path.exists(os.path.join(config.dataset.data_root, uid, "char", "mask.png"))
    write_obj(os.path.join(config.dataset.data_root, uid, "mesh", "a.obj"), lambda x, y, z: (x, z, -y))


def save_obj_with_mtl(points, uvs, faces, texture_faces, texture, path):
    write_obj(path, lambda x, y, z: (-y, x, z))


def instantiate_from_config(config):
    model = MagicMock(**{"extract_mesh.return_value": [MagicMock()] * 5})
    model.to.return_value = model.eval.return_value = model
    return model


def snapshot_download(repository, revision=None, allow_patterns=None, local_files_only=False):
    assert bool(os.environ.get("HF_HUB_OFFLINE")) == local_files_only
    return os.path.join(os.environ["FAKE_HUB"], repository.replace("/", "--"), "c0ffee")


NAMES = {
    "pytorch_lightning": {"Trainer": Trainer},
    "systems": {"make": lambda name, config: config},
    "inference": {"generate3d": generate3d},
    "recon": {"recon": recon},
    "src.utils.train_util": {"instantiate_from_config": instantiate_from_config},
    "src.utils.mesh_util": {"save_obj_with_mtl": save_obj_with_mtl},
    "huggingface_hub": {"snapshot_download": snapshot_download},
}


class Mocks(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in (*MOCKED, "huggingface_hub"):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        module = MagicMock(name=spec.name)
        if spec.name == "torch":
            module.cuda.is_available.return_value = False
        for name, value in NAMES.get(spec.name, {}).items():
            setattr(module, name, value)
        return module

    def exec_module(self, module): ...


sys.meta_path.insert(0, Mocks())
"""
)


def write_files(root: Path, files: dict[str, str]) -> Path:
    """Write texts by path below a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"))
    return root


def write_upstream(root: Path, name: str) -> Path:
    """A checkout with every file and name that a bridge uses."""
    files = {}
    for file, names in read_pins(name).uses.items():
        parts = [part for path in names for part in path.split(".")]
        kinds = {".py": "def {}(): ...\n", ".yaml": "{}: 1\n"}
        files[file] = "".join(kinds[Path(file).suffix].format(part) for part in parts) if parts else "{}"
    return write_files(root, files)


def write_environment(folder: Path) -> Path:
    """An environment with the fakes, and Pillow of this one; returns its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = next(folder.glob("lib/python*/site-packages"))
    write_files(site, {"fakes.py": FAKES, "fakes.pth": "import fakes\n"})
    (site / "real.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder / "bin" / "python"
