"""The layouts `nerfstudio` and `blender`: a scene for each character, of perspective views all around it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from specsia_build import png
from specsia_build.cameras.rigs import CameraRig
from specsia_build.errors import UsageError, plural
from specsia_build.files.records import read_json
from specsia_build.files.writing import write_bytes
from specsia_build.frame import Camera
from specsia_build.layouts.layout import json_text
from specsia_build.layouts.part import Written
from specsia_build.layouts.views.checks import (
    CheckedView,
    check_depth,
    check_silhouettes,
    check_sizes,
    scaled,
)
from specsia_build.layouts.views.encoding import grey16, picture
from specsia_build.layouts.views.layout import DrawnCharacter, ViewLayout

_TRANSFORMS = "transforms.json"
_MILLIMETRES = 1000.0  # Levels of nerfstudio's depth in a unit
_NERFSTUDIO = """\
ns-train nerfacto --data FOLDER/train/ID nerfstudio-data \\
  --orientation-method none --center-method none --auto-scale-poses False"""
_BLENDER = """\
python train.py -s FOLDER/train/ID --white_background  # gaussian-splatting
ns-train nerfacto --data FOLDER/train/ID blender-data  # nerfstudio"""
_TEST, _VALIDATION = 9, 4  # Remainders by ten of the views of these splits
_LEAST = 10  # Views of which one is a test


class Nerfstudio(ViewLayout):
    """The layout that nerfstudio's `nerfstudio-data` parser reads."""

    name = "nerfstudio"
    title = "a scene for each character with depth, as nerfstudio reads it"
    rig = "sphere:60"
    perspective = True
    square = False
    more_layers = True
    steps = _NERFSTUDIO
    loading = f"""\
`SPLIT/ID/{_TRANSFORMS}` has a scene's cameras, camera to world in OpenGL's axes, Z up, with focal lengths \
and centres in pixels; `images/NNN.png` are RGBA and `depths/NNN.png` millimetres (units times 1000, 0 where \
nothing is) of 16 bits. The longest side is 1. `layers/` has what `--layers` asked for. Without these \
options nerfstudio turns and scales the poses; Pillow must be below 12.

```bash
{_NERFSTUDIO}
```
"""

    def write_views(self, drawn: DrawnCharacter, out: Path) -> None:
        home = self.home(drawn.split, drawn.id)
        frames = []
        for k, view in enumerate(drawn.views()):
            frame = {"file_path": f"images/{k:03d}.png", "depth_file_path": f"depths/{k:03d}.png"}
            write_bytes(out / home / frame["file_path"], png.encode(view.layers.color))
            depth = grey16(view.depth * (self.scale * _MILLIMETRES))
            write_bytes(out / home / frame["depth_file_path"], depth)
            for layer, name in self.write_layers(drawn, view, f"{home}/layers/{k:03d}", out).items():
                frame[f"{layer}_layer_path"] = name.removeprefix(f"{home}/")
            frames.append({**frame, **_lens(scaled(view.camera, self.scale))})
        record = {"camera_model": "OPENCV", "frames": frames}
        write_bytes(out / home / _TRANSFORMS, json_text(record))

    def expected(self, part: Written) -> Mapping[str, int]:
        home, views = self.home(part.split, part.key), self.view_names(part.facts["frames"])
        names = [f"{home}/{kind}/{view}.png" for view in views for kind in ("images", "depths")]
        return dict.fromkeys([*names, f"{home}/{_TRANSFORMS}"], 0)

    def files(self, part: Written) -> set[str]:
        layers = {
            name for name in part.files if name.startswith(f"{self.home(part.split, part.key)}/layers/")
        }
        return super().files(part) | layers

    def check_views(self, folder: Path, part: Written, cameras: Sequence[Camera]) -> Iterator[str]:
        home, views = folder / self.home(part.split, part.key), []
        frames = read_json(home / _TRANSFORMS, _TRANSFORMS)["frames"]
        yield from _check_matrices(part.key, frames, cameras)
        for name, camera in zip(self.view_names(len(cameras)), cameras, strict=True):
            alpha = picture(home / "images" / f"{name}.png", "RGBA")[..., 3]
            depth = picture(home / "depths" / f"{name}.png", "I;16") / np.float32(_MILLIMETRES)
            views.append(CheckedView(f"{part.key}/{name}", camera, (alpha > 127) & (depth > 0), depth))
        yield from check_sizes(views)
        yield from check_silhouettes(views, self.scale)
        yield from check_depth(views, self.scale)


class Blender(ViewLayout):
    """The layout of the NeRF-synthetic scenes, which gaussian-splatting and nerfstudio read."""

    name = "blender"
    title = "a scene for each character in the form of NeRF-synthetic, as gaussian-splatting reads it"
    rig = "sphere:100@fov=40,radius=2"
    perspective = True
    scale = 2.0
    more_layers = True
    steps = _BLENDER
    loading = f"""\
`SPLIT/ID/` is a scene: `transforms_train.json`, `_val` and `_test` with `camera_angle_x` and \
camera-to-world matrices in OpenGL's axes, Z up, and `train/r_N.png` and so on (RGBA). One view in ten is \
for validation and one for tests. The longest side is 2 and cameras stand 4 away, so that the character \
lies within the 1.3 units in which gaussian-splatting starts. Layers of `--layers` lie beside the pictures, \
as `r_N_normal.png`.

```bash
{_BLENDER}
```
"""

    def with_rig(self, rig: CameraRig) -> ViewLayout:
        if len(rig.names) < _LEAST:
            views = plural(len(rig.names), "view")
            raise UsageError(
                f"{self.name} needs {_LEAST} views, of which one is a test: {rig.name} has {views}"
            )
        if len({camera.fov_deg for camera in rig.cameras(self.defaults["size"])}) > 1:
            raise UsageError(f"{self.name} has one fov for all views, unlike {rig.name}")
        return super().with_rig(rig)

    def write_views(self, drawn: DrawnCharacter, out: Path) -> None:
        home = self.home(drawn.split, drawn.id)
        frames: dict[str, list[Any]] = {"train": [], "val": [], "test": []}
        for k, view in enumerate(drawn.views()):
            stem = f"{_split(k)}/r_{k}"
            matrix = scaled(view.camera, self.scale).c2w().tolist()
            frames[_split(k)].append({"file_path": f"./{stem}", "transform_matrix": matrix})
            write_bytes(out / home / f"{stem}.png", png.encode(view.layers.color))
            self.write_layers(drawn, view, f"{home}/{stem}", out)
        angle = float(np.deg2rad(drawn.cameras[0].fov_deg or 0))
        for split, listed in frames.items():
            record = {"camera_angle_x": angle, "frames": listed}
            write_bytes(out / home / f"transforms_{split}.json", json_text(record))

    def expected(self, part: Written) -> Mapping[str, int]:
        home = self.home(part.split, part.key)
        names = [f"{home}/{_split(k)}/r_{k}.png" for k in range(part.facts["frames"])]
        names += [f"{home}/transforms_{split}.json" for split in ("train", "val", "test")]
        return dict.fromkeys(names, 0)

    def files(self, part: Written) -> set[str]:
        files = super().files(part)
        pictures = {name.removesuffix(".png") for name in files}
        return files | {name for name in part.files if name.rpartition("_")[0] in pictures}

    def check_views(self, folder: Path, part: Written, cameras: Sequence[Camera]) -> Iterator[str]:
        home = folder / self.home(part.split, part.key)
        for split in ("train", "val", "test"):
            frames = read_json(home / f"transforms_{split}.json", split)["frames"]
            own = [camera for k, camera in enumerate(cameras) if _split(k) == split]
            yield from _check_matrices(f"{part.key}/{split}", frames, own)
        views = []
        for k, camera in enumerate(cameras):
            alpha = picture(home / _split(k) / f"r_{k}.png", "RGBA")[..., 3]
            views.append(CheckedView(f"{part.key}/r_{k}", camera, alpha > 127))
        yield from check_sizes(views)
        yield from check_silhouettes(views, self.scale)


def _split(view: int) -> str:
    return {_TEST: "test", _VALIDATION: "val"}.get(view % 10, "train")


def _lens(camera: Camera) -> dict[str, Any]:
    """A camera as nerfstudio writes it."""
    x, y = camera.principal_point
    focal = camera.focal_length
    size = {"w": camera.size, "h": camera.height}
    return {"fl_x": focal, "fl_y": focal, "cx": x, "cy": y, **size, "transform_matrix": camera.c2w().tolist()}


def _check_matrices(where: str, frames: Sequence[Any], cameras: Sequence[Camera]) -> Iterator[str]:
    """Yield whether frames have other matrices than cameras."""
    given = np.array([frame["transform_matrix"] for frame in frames], np.float64)
    if not np.allclose(given, [camera.c2w() for camera in cameras], atol=1e-6):
        yield f"{where} has other cameras than it should"
