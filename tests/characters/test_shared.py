"""Every shared character and case, and files with small faults, are read as when numbers were written down.

`python -m tests.characters.test_shared` writes them to shared.json, after a change that is meant.
"""

import base64
import json
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from msgspec.structs import replace

from specsia_build import memory
from specsia_build.characters.character import Entry
from specsia_build.characters.formats import FORMATS
from specsia_build.characters.motions import read_motions
from specsia_build.characters.read import read_animated, read_character
from specsia_build.errors import CharacterError
from tests.animation.people import MIXAMO, into_bvh, person
from tests.characters.gltf.writer import GltfWriter, opened, png
from tests.characters.rich import rich_dae, rich_fbx
from tests.characters.rich_text import rich_obj, rich_ply, rich_strips
from tests.characters.test_motions import exercise
from tests.hostile.faults import FAULTS
from tests.hostile.sound import SOUND, Files, gltf, write_files

RECORD = Path(__file__).with_suffix(".json")
EXPECTED: dict[str, dict[str, float]] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
SUFFIXES = (*FORMATS, ".bvh")
WORDS = ("sentence", "why", "name")
"""Fields of texts for people."""


def numbers_of(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """All numbers of a value by the names of fields that lead to them; a text is its checksum."""
    if isinstance(value, np.ndarray):
        yield name, value.ravel()
    elif is_dataclass(value):
        for field in fields(value):
            if field.name not in WORDS:
                yield from numbers_of(getattr(value, field.name), f"{name}.{field.name}")
    elif isinstance(value, Mapping):
        yield from numbers_of([*value.items()], name)
    elif isinstance(value, Set):
        yield from numbers_of(sorted(value), name)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield name, [len(value)]
        for each in value:
            yield from numbers_of(each, name)
    elif isinstance(value, Path):
        yield name, [zlib.crc32(ascii(value.name).encode())]
    elif not isinstance(value, Entry):
        yield name, [value if isinstance(value, int | float) else zlib.crc32(ascii(value).encode())]


def summary(path: Path) -> dict[str, float]:
    """A number for each field of a character, its motions and its pose in one; any change changes it."""
    groups: dict[str, list[Any]] = {}
    try:
        with patch.object(memory, "ask", wraps=memory.ask) as ask:
            is_motion = path.suffix == ".bvh"
            entry = Entry("a", FORMATS.get(path.suffix, ""), path)
            character: Any = read_motions(path) if is_motion else read_animated(entry)
        groups[".memory"] = [np.log1p([call.args[0] for call in ask.call_args_list])]
        if character.motions and character.motions[0].name and not is_motion:
            posed = read_character(replace(entry, pose=f"{character.motions[0].name}@7")).mesh
            groups[".posed"] = [posed.vertices.ravel()]
        for name, values in numbers_of(character):
            groups.setdefault(name.removeprefix(".character"), []).append(values)
    except CharacterError as error:
        return {error.code: float(zlib.crc32(error.code.encode()) % 1000)}
    totals: dict[str, float] = {}
    for number, (name, parts) in enumerate(groups.items()):
        values = np.concatenate([np.zeros(1), *parts]).astype(np.float64)
        size = float(np.linalg.norm(values))
        share = values @ np.cos(np.arange(len(values)) % 9973) / (size + 1e-3)
        group = ".".join(name.split(".")[1:3])
        totals[group] = totals.get(group, 0.0) + (np.log1p(size) + float(share)) * (1 + number % 7)
    return {name: round(total, 4) for name, total in totals.items()}


def rich() -> GltfWriter:
    """The sound glTF file with motions, instances and every kind of material."""
    file = gltf()
    times = file.accessor([0.0, 0.25, 1.0])
    moves = {
        "translation": file.accessor([[0, 0, 0], [0, 1, 0], [1, 1, 0]]),
        "rotation": file.accessor([[0, 0, 0, 1], [0, 0.6, 0, 0.8], [0, 1, 0, 0]]),
        "scale": file.accessor(np.arange(1, 28).reshape(9, 3) / 9),
        "weights": file.accessor([0.0, 0.5, 1.0]),
    }
    samplers, channels = list[Any](), list[Any]()
    for path, kind in zip(moves, ("LINEAR", "STEP", "CUBICSPLINE", "LINEAR"), strict=True):
        samplers.append({"input": times, "output": moves[path], "interpolation": kind})
        target = {"node": 0 if path == "weights" else 2, "path": path}
        channels.append({"sampler": len(channels), "target": target})
    file.add("animations", name="dance", samplers=samplers, channels=channels)
    places = {
        "TRANSLATION": file.accessor([[0, 0, 0], [0.2, 0, 0.1]]),
        "ROTATION": file.accessor([[0, 0, 0, 1], [0, 0.6, 0, 0.8]]),
        "SCALE": file.accessor([[1, 1, 1], [0.5, 0.25, 1]]),
    }
    file.data["nodes"][3]["matrix"][3::4] = [0.5, 0.5, 0.5, 2.0]
    for joints in ([1], [1, 2]):
        binds = np.stack([np.eye(4) * (len(joints) + 1), np.eye(4) / 2])[: len(joints)]
        binds[:, 3, 3] = 1.0
        file.add("skins", joints=joints, inverseBindMatrices=file.accessor(binds))
    bare = file.primitive(np.eye(3)[:2], mode=5), file.primitive(np.eye(3), mode=3)
    file.data["nodes"][2]["children"].append(file.mesh_node(*bare))
    file.data["nodes"][1]["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": places}}
    picture = base64.b64encode(png([[[0, 0, 0, 255], [0, 0, 0, 0]]])).decode().replace("i", "%69")
    image = file.add("images", uri=f"data:image/png;base64,{picture}")
    leaf = {"index": file.add("textures", source=image)}
    looks: list[dict[str, Any]] = [
        {"pbrMetallicRoughness": {"baseColorFactor": [0.1, 0.2, 0.3, 0.4]}, "alphaMode": "BLEND"},
        {"emissiveTexture": {"index": 0, "texCoord": 0}, "emissiveFactor": [0.5, 0.6, 2.0]},
        {"alphaMode": "MASK", "alphaCutoff": 0.4, "pbrMetallicRoughness": {"baseColorTexture": leaf}},
        {"extensions": {"KHR_materials_transmission": {"transmissionFactor": 0.5}}},
        {"extensions": {"KHR_materials_pbrSpecularGlossiness": {"diffuseFactor": [0.5, 0.4, 0.3, 1]}}},
        {"extensions": {"KHR_materials_unlit": {}}, "emissiveFactor": [0.5, 0.5, 0.5]},
    ]
    square = np.array([[0, 0, 0], [0.1, 0, 0], [0.1, 0.1, 0], [0, 0.1, 0]])
    for number, look in enumerate(looks):
        own: dict[str, Any] = {"TEXCOORD_0": file.accessor(square[:, :2] * 9)}
        own |= {"COLOR_0": file.accessor(np.eye(4)[:, :3] + 0.3)} if number % 2 else {}
        mode, indices = (4, [0, 1, 2, 0, 2, 3]) if number % 3 else (5 + number % 2, None)
        plate = file.primitive(square, indices, file.add("materials", **look), mode, **own)
        at = file.mesh_node(
            plate, name=f"plate{number}", translation=[0.2 * number, 0, 0.1], scale=[1, 1, 1 - number // 5]
        )
        file.data["nodes"][2]["children"].append(at)
        if number < len(places):
            one = {"attributes": dict([[*places.items()][number]])}
            file.data["nodes"][at]["extensions"] = {"EXT_mesh_gpu_instancing": one}
    return file


def rich_vrm(old: bool) -> bytes:
    """The same as a character of VRM 0.x or 1.0."""
    file = opened(rich().glb())
    bones: dict[str, Any] = {"hips": {"node": 3}, "head": {"node": 2}}
    avatar: dict[str, Any] = {"humanoid": {"humanBones": bones}}
    avatar["firstPerson"] = {"meshAnnotations": [{"node": 5, "type": "firstPersonOnly"}]}
    if old:
        toon: dict[str, Any] = {
            "shader": "VRM/MToon",
            "floatProperties": {"_Cutoff": 0.3, "_CullMode": 1, "_BlendMode": 2},
            "vectorProperties": {"_Color": [0.5, 0.25, 1, 0.5], "_MainTex": [0.1, 0.2, 0.5, 2.0]},
            "textureProperties": {"_MainTex": 0, "_EmissionMap": 0},
        }
        toon["vectorProperties"]["_EmissionColor"] = [0.5, 0.2, 0.1]
        plain = {"shader": "VRM/MToon", "textureProperties": {"_MainTex": 0}}
        bare = {**plain, "vectorProperties": {"_MainTex": [0.1], "_Color": [0.5]}}
        shaders = ("VRM/UnlitCutout", "VRM/UnlitTransparent", "VRM_USE_GLTFSHADER")
        avatar = {
            "exporterVersion": "UniVRM-0.51.0",
            "humanoid": {"humanBones": [{"bone": bone, **place} for bone, place in bones.items()]},
            "firstPerson": {"meshAnnotations": [{"mesh": 2, "firstPersonFlag": "FirstPersonOnly"}]},
            "materialProperties": [
                bare,
                toon,
                plain,
                *({**toon, "shader": shader} for shader in shaders),
                {},
            ],
        }
    file.data["extensions"] = {"VRM" if old else "VRMC_vrm": avatar}
    return file.glb()


def moving_root() -> bytes:
    """A BVH file whose root moves and whose frames begin in the air."""
    figure, bones = person(MIXAMO, size=100.0, up="+y")
    text = into_bvh(figure, exercise(figure, bones))
    text = text.replace("CHANNELS 3", "CHANNELS 6 Xposition Zposition Yposition", 1)
    text = text.replace("OFFSET ", "OFFSET 7", 1)
    head, _, frames = text.partition("Frame Time: 1.0\n")
    return f"{head}Frame Time: 0.25\n{re.sub('(?m)^(?=.)', '5 90 -3 ', frames)}".encode()


KINDS: dict[str, tuple[str, Any]] = {
    "rich": ("GLB", lambda name: {f"{name}.glb": rich().glb()}),
    "rich VRM 0.x": ("VRM", lambda name: {f"{name}.vrm": rich_vrm(True)}),
    "rich VRM 1.0": ("VRM", lambda name: {f"{name}.vrm": rich_vrm(False)}),
    "BVH": ("BVH", lambda name: {f"{name}.bvh": moving_root()}),
    **{kind: (kind, SOUND[kind]) for kind in ("glTF", "OBJ", "PLY text", "PLY binary", "PNG")},
}
"""Files by kind, and the kind of `tests.hostile` whose faults fit."""

WHOLE: dict[str, Callable[[str], Files]] = {
    "rich OBJ": rich_obj,
    "rich PLY": rich_ply,
    "rich strips": rich_strips,
    "rich FBX": rich_fbx,
    "rich COLLADA": rich_dae,
}
"""Files that are read without faults only."""


def written(files: Files, folder: Path) -> Path:
    """The first of some files, all of which are written to a folder."""
    write_files(folder, files)
    return folder / next(iter(files))


def faulty(kind: str) -> dict[str, float]:
    """A number for each of some files with a fault, and for the sound one."""
    sort, files = KINDS[kind]
    sums = {}
    trials = [f"{fault} {seed}" for fault in ("counts", "offsets", "names") for seed in range(9)]
    for trial in ("", *trials):
        with tempfile.TemporaryDirectory() as folder:
            fault = FAULTS.get(trial.rpartition(" ")[0])
            made: Files = fault(sort, files("a"), Random(f"{kind} {trial}")) if fault else files("a")
            path = written(made, Path(folder))
            sums[trial] = round(sum(summary(path).values()), 3) if path.suffix in SUFFIXES else 0.0
    return sums


@pytest.mark.parametrize("name", [name for name in EXPECTED if name not in {*KINDS, *WHOLE}])
def test_files_are_read_as_ever(characters_dir: Path, name: str) -> None:
    assert summary(characters_dir.parent / name) == pytest.approx(EXPECTED[name], abs=2e-3)


@pytest.mark.parametrize("kind", WHOLE)
def test_rich_files_are_read_as_ever(tmp_path: Path, kind: str) -> None:
    assert summary(written(WHOLE[kind]("a"), tmp_path)) == pytest.approx(EXPECTED[kind], abs=2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_faults_are_read_as_ever(kind: str) -> None:
    assert faulty(kind) == pytest.approx(EXPECTED[kind], abs=2e-2)


if __name__ == "__main__":
    shared = Path(__file__).resolve().parents[3] / "shared"
    files = sorted(path for path in shared.glob("c*/**/*.*") if path.suffix in FORMATS)
    found = {path.relative_to(shared).as_posix(): summary(path) for path in files}
    found |= {kind: faulty(kind) for kind in KINDS}
    found |= {kind: summary(written(WHOLE[kind]("a"), Path(tempfile.mkdtemp()))) for kind in WHOLE}
    lines = [f"{json.dumps(name)}: {json.dumps(totals)}" for name, totals in found.items()]
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n")
