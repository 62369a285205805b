"""The layout `blender`: a scene for each character in the form of NeRF-synthetic."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from specsia_build import png
from specsia_build.cameras.rigs import CameraRig
from specsia_build.errors import UsageError, plural
from specsia_build.files.records import read_json
from specsia_build.files.writing import write_bytes
from specsia_build.frame import Camera
from specsia_build.layouts.layout import json_text
from specsia_build.layouts.part import Written
from specsia_build.layouts.views.checks import scaled
from specsia_build.layouts.views.layout import DrawnCharacter, ViewLayout

_STEPS = """\
python train.py -s FOLDER/train/ID --white_background  # gaussian-splatting
ns-train nerfacto --data FOLDER/train/ID blender-data  # nerfstudio"""
_TEST, _VALIDATION = 9, 4  # Remainders by ten of the views of these splits
_LEAST = 10  # Views of which one is a test
_SPLITS = ("train", "val", "test")


class Blender(ViewLayout):
    """The layout of the NeRF-synthetic scenes, which gaussian-splatting and nerfstudio read."""

    name = "blender"
    title = "a scene for each character in the form of NeRF-synthetic, as gaussian-splatting reads it"
    rig = "sphere:100@fov=40,radius=2"
    perspective = True
    scale = 2.0
    more_layers = True
    moving = True
    per_character: ClassVar[Sequence[str]] = tuple(f"transforms_{split}.json" for split in _SPLITS)
    steps = _STEPS
    loading = f"""\
`SPLIT/ID/` is a scene: `transforms_train.json`, `_val` and `_test` with `camera_angle_x` and \
camera-to-world matrices in OpenGL's axes, Z up, and `train/r_N.png` and so on (RGBA). One view in ten is \
for validation and one for tests. The longest side is 2 and cameras stand 4 away, so that the character \
lies within the 1.3 units in which gaussian-splatting starts. Layers of `--layers` lie beside the pictures, \
as `r_N_normal.png`.

```bash
{_STEPS}
```
"""

    def with_rig(self, rig: CameraRig) -> ViewLayout:
        if len(rig.names) < _LEAST:
            views = plural(len(rig.names), "view")
            problem = f"{self.name} needs {_LEAST} views, of which one is a test: {rig.name} has {views}"
            raise UsageError(problem)
        if len({camera.fov_deg for camera in rig.cameras(self.defaults["size"])}) > 1:
            raise UsageError(f"{self.name} has one fov for all views, unlike {rig.name}")
        return super().with_rig(rig)

    def write_views(self, drawn: DrawnCharacter, out: Path) -> None:
        home = self.home(drawn.split, drawn.id)
        frames: dict[str, list[Any]] = {split: [] for split in _SPLITS}
        for k, (view, time) in enumerate(zip(drawn.views(), drawn.times(), strict=True)):
            stem = f"{_split(k)}/r_{k}"
            matrix = scaled(view.camera, self.scale).c2w().tolist()
            frame = {"file_path": f"./{stem}", **time, "transform_matrix": matrix}
            frames[_split(k)].append(frame)
            write_bytes(out / home / f"{stem}.png", png.encode(view.layers.color))
            for name, data in drawn.layer_files(view, self.scale).items():
                write_bytes(out / home / f"{stem}_{name}", data)
        angle = float(np.deg2rad(drawn.cameras[0].fov_deg or 0))
        for split, listed in frames.items():
            record = {"camera_angle_x": angle, "frames": listed}
            write_bytes(out / home / f"transforms_{split}.json", json_text(record))

    def view_files(self, view: str) -> list[str]:
        return [f"{_split(int(view))}/r_{int(view)}.png"]

    def files(self, part: Written) -> set[str]:
        files = super().files(part)
        pictures = {name.removesuffix(".png") for name in files}
        return files | {name for name in part.files if name.rpartition("_")[0] in pictures}

    def matrices(self, home: Path, cameras: Sequence[Camera]) -> Iterator[tuple[str, Any, Any]]:
        for split, name in zip(_SPLITS, self.per_character, strict=True):
            given = [frame["transform_matrix"] for frame in read_json(home / name, name)["frames"]]
            yield name, given, [camera.c2w() for k, camera in enumerate(cameras) if _split(k) == split]


def _split(view: int) -> str:
    return {_TEST: "test", _VALIDATION: "val"}.get(view % 10, "train")
