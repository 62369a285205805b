"""The layout `nerfstudio`: a scene for each character, of perspective views all around it, with depth."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from specsia_build import png
from specsia_build.arrays import Doubles, Floats
from specsia_build.files.records import read_json
from specsia_build.files.writing import write_bytes
from specsia_build.frame import Camera
from specsia_build.layouts.layout import json_text
from specsia_build.layouts.part import Written
from specsia_build.layouts.views.checks import scaled
from specsia_build.layouts.views.encoding import grey16, picture
from specsia_build.layouts.views.layout import DrawnCharacter, ViewLayout

_TRANSFORMS = "transforms.json"
_MILLIMETRES = 1000.0  # Levels of nerfstudio's depth in a unit
_STEPS = """\
ns-train nerfacto --data FOLDER/train/ID nerfstudio-data \\
  --orientation-method none --center-method none --auto-scale-poses False"""


class Nerfstudio(ViewLayout):
    """The layout that nerfstudio's `nerfstudio-data` parser reads."""

    name = "nerfstudio"
    title = "a scene for each character with depth, as nerfstudio reads it"
    rig = "sphere:60"
    perspective = True
    square = False
    more_layers = True
    moving = True
    per_view: ClassVar[Sequence[str]] = ("images/{}.png", "depths/{}.png")
    per_character: ClassVar[Sequence[str]] = (_TRANSFORMS,)
    steps = _STEPS
    loading = f"""\
`SPLIT/ID/{_TRANSFORMS}` has a scene's cameras, camera to world in OpenGL's axes, Z up, with focal lengths \
and centres in pixels; `images/NNN.png` are RGBA and `depths/NNN.png` millimetres (units times 1000, 0 where \
nothing is) of 16 bits. The longest side is 1. `layers/` has what `--layers` asked for. Without these \
options nerfstudio turns and scales the poses; Pillow must be below 12.

```bash
{_STEPS}
```
"""

    def write_views(self, drawn: DrawnCharacter, out: Path) -> None:
        home = self.home(drawn.split, drawn.id)
        frames = []
        for k, (view, time) in enumerate(zip(drawn.views(), drawn.times(), strict=True)):
            frame = {"file_path": f"images/{k:03d}.png", "depth_file_path": f"depths/{k:03d}.png"}
            write_bytes(out / home / frame["file_path"], png.encode(view.layers.color))
            depth = grey16(view.depth * (self.scale * _MILLIMETRES))
            write_bytes(out / home / frame["depth_file_path"], depth)
            for name, data in drawn.layer_files(view, self.scale).items():
                frame[f"{Path(name).stem}_layer_path"] = f"layers/{k:03d}_{name}"
                write_bytes(out / home / "layers" / f"{k:03d}_{name}", data)
            frames.append({**frame, **time, **_lens(scaled(view.camera, self.scale))})
        record = {"camera_model": "OPENCV", "frames": frames}
        write_bytes(out / home / _TRANSFORMS, json_text(record))

    def files(self, part: Written) -> set[str]:
        layers = f"{self.home(part.split, part.key)}/layers/"
        return super().files(part) | {name for name in part.files if name.startswith(layers)}

    def matrices(self, home: Path, cameras: Sequence[Camera]) -> Iterator[tuple[str, Any, Any]]:
        frames = read_json(home / _TRANSFORMS, _TRANSFORMS)["frames"]
        for frame, camera in zip(frames, cameras, strict=True):
            for name, value in _lens(camera).items():
                yield f"{_TRANSFORMS}: {name}", frame[name], value

    def depth(self, home: Path, view: str) -> Floats | Doubles | None:
        return picture(home / "depths" / f"{view}.png", "I;16") / np.float32(_MILLIMETRES)


def _lens(camera: Camera) -> dict[str, Any]:
    """A camera as nerfstudio writes it."""
    x, y = camera.principal_point
    focal = camera.focal_length
    size = {"w": camera.size, "h": camera.height}
    return {"fl_x": focal, "fl_y": focal, "cx": x, "cy": y, **size, "transform_matrix": camera.c2w().tolist()}
