"""Stand-ins for the upstream projects: their modules accept every call and write a figure where a mesh is
due.

The bridges run in an environment in which every module of a checkout, and torch and its relatives, is a mock.
Where an upstream writes its mesh, a function writes the figure by that project's rule of export, so that a
bridge that gives it back in our frame has undone the rule.
"""

import subprocess
import sys
from pathlib import Path

import PIL

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
import importlib.abc, importlib.machinery, json, os, struct, sys, zipfile
from unittest.mock import MagicMock

MOCKED = (
    "torch torchvision einops omegaconf diffusers rembg pytorch_lightning inference model pipelines run src "
    "test_mvdiffusion_seq utils datasets systems mv recon numpy "
    "tsr sf3d trellis2 o_voxel hy3dshape textureGenPipeline torchvision_fix anigen pipeline_difix"
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


class Written:
    # A mesh that a library would write, by the rule of export of its project.
    faces = [1]
    volume = 1.0

    def __init__(self, rows):
        self.rows = rows

    def export(self, path, **options):
        if path.endswith(".obj"):
            write_obj(path, self.rows)
        else:
            write_glb(path, self.rows)


def write_glb(path, rows, rigged=False):
    points, faces = figure()
    points = [rows(*p) for p in points]
    data, views, accessors = b"", [], []

    def add(kind, component, form, values, bounds=None):
        nonlocal data
        packed = b"".join(struct.pack("<" + form, *value) for value in values)
        views.append({"buffer": 0, "byteOffset": len(data), "byteLength": len(packed)})
        data += packed + bytes(-len(packed) % 4)
        extra = {} if bounds is None else {"min": bounds[0], "max": bounds[1]}
        counted = {"bufferView": len(views) - 1, "count": len(values)}
        accessors.append({**counted, "componentType": component, "type": kind, **extra})
        return len(accessors) - 1

    bounds = [[f(p[k] for p in points) for k in range(3)] for f in (min, max)]
    attributes = {"POSITION": add("VEC3", 5126, "3f", points, bounds)}
    corners = add("SCALAR", 5125, "I", [[i] for f in faces for i in f])
    red = {"pbrMetallicRoughness": {"baseColorFactor": [1, 0, 0, 1]}}
    document = {"asset": {"version": "2.0"}, "scene": 0, "materials": [red], "nodes": [{"mesh": 0}]}
    if rigged:
        # A root, and a joint that holds the arm.
        attributes["JOINTS_0"] = add("VEC4", 5121, "4B", [[8 <= i < 16, 0, 0, 0] for i in range(len(points))])
        attributes["WEIGHTS_0"] = add("VEC4", 5126, "4f", [[1, 0, 0, 0]] * len(points))
        document["nodes"] = [{"mesh": 0, "skin": 0}, {"children": [2]}, {"translation": rows(0.1, 0, 0.15)}]
        inverse = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]
        moved = [*inverse, *(-v for v in rows(0.1, 0, 0.15)), 1]
        matrices = add("MAT4", 5126, "16f", [[*inverse, 0, 0, 0, 1], moved])
        document["skins"] = [{"joints": [1, 2], "inverseBindMatrices": matrices}]
    document["scenes"] = [{"nodes": [0, 1] if rigged else [0]}]
    document["meshes"] = [{"primitives": [{"attributes": attributes, "indices": corners, "material": 0}]}]
    document |= {"accessors": accessors, "bufferViews": views, "buffers": [{"byteLength": len(data)}]}
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(data)))
        stream.write(struct.pack("<I4s", len(text), b"JSON") + text)
        stream.write(struct.pack("<I4s", len(data), b"BIN" + bytes(1)) + data)


def y_up(x, y, z):
    return (x, z, -y)


def model_with(**results):
    return MagicMock(**{"from_pretrained.return_value": MagicMock(**results)})


def extract_mesh(codes, has_vertex_color, resolution):
    # The front is at +x, and the picture's right at +y.
    return [Written(lambda x, y, z: (-y, x, z))]


def run_image(picture, bake_resolution):
    # The same, turned by -90 degrees about X and by 90 about Y.
    return Written(lambda x, y, z: (-x, z, y)), {}


def paint(mesh, picture, path, save_glb):
    assert os.path.exists(mesh) and not save_glb
    write_obj(path, y_up)
    return path


def rigged(picture, seed, output_glb):
    write_glb(output_glb, y_up, rigged=True)


def halfway(prompt, image, ref_image, height, width, num_inference_steps, timesteps, guidance_scale):
    from PIL import Image

    assert (num_inference_steps, timesteps, guidance_scale, height % 8, width % 8) == (1, [199], 0.0, 0, 0)
    return MagicMock(images=[Image.blend(image, ref_image, 0.5).resize((width, height))])


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
    "pipeline_difix": {"DifixPipeline": model_with(side_effect=halfway)},
    "tsr.system": {"TSR": model_with(extract_mesh=extract_mesh)},
    "sf3d.system": {"SF3D": model_with(run_image=run_image)},
    "o_voxel": {"postprocess": MagicMock(**{"to_glb.return_value": Written(y_up)})},
    "hy3dshape.pipelines": {
        "Hunyuan3DDiTFlowMatchingPipeline": MagicMock(
            **{"from_pretrained.return_value": lambda image, generator: [Written(y_up)]}
        )
    },
    "textureGenPipeline": {"Hunyuan3DPaintPipeline": lambda config: paint},
    "anigen.pipelines": {"AnigenImageTo3DPipeline": model_with(run=rigged)},
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
    (site / "real.pth").write_text(f"{Path(PIL.__file__).parents[1]}\n")
    return folder / "bin" / "python"
