"""The layout `instantmesh`: 32 perspective views with normals of the frame and depth of 8 bits."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from specsia_build import npz, png
from specsia_build.files.writing import write_bytes
from specsia_build.frame import Camera
from specsia_build.layouts.layout import json_text
from specsia_build.layouts.part import Written
from specsia_build.layouts.views.checks import (
    CheckedView,
    check_depth,
    check_facing,
    check_silhouettes,
    check_sizes,
    scaled,
)
from specsia_build.layouts.views.encoding import decode_normals, picture
from specsia_build.layouts.views.layout import DrawnCharacter, ViewLayout, by_split

_FOLDER = "rendering_random_32views"
_LIST = "filtered_obj_name.json"
_CAMERAS = "cameras.npz"
_DEEPEST = 6.0  # Units of the depth level 255
_VIEWS = 32
_STEPS = f"""\
data: {{params: {{train: {{params: {{
  root_dir: FOLDER/train, meta_fname: {_LIST}, total_view_n: {_VIEWS}, fov: 50}}}}}}}}"""


class InstantMesh(ViewLayout):
    """The layout that InstantMesh's `src.data.objaverse.ObjaverseData` reads."""

    name = "instantmesh"
    title = "32 perspective views with depth and normals, as InstantMesh's reconstruction reads them"
    rig = f"random:{_VIEWS}@fov=50,radius=2"
    views: ClassVar[int | None] = _VIEWS
    fov: ClassVar[float | None] = 50.0
    perspective = True
    scale = 2.0
    steps = _STEPS
    loading = f"""\
`SPLIT/{_FOLDER}/ID/` has `NNN.png` (RGBA), `NNN_normal.png` (RGBA, of the frame, Z up) and \
`NNN_depth.png` (L: 255 is {_DEEPEST:g} units along the axis) of {_VIEWS} views with a fov of 50 degrees; \
`{_CAMERAS}` has `cam_poses` ({_VIEWS}, 3, 4), world to camera in OpenGL's axes. The longest side is 2. \
`SPLIT/{_LIST}` lists the ids as `good_objs`; an object that cannot be read is replaced by another.

```yaml
{_STEPS}
```
"""

    def home(self, split: str, character: str) -> str:
        return f"{split}/{_FOLDER}/{character}"

    def write_views(self, drawn: DrawnCharacter, out: Path) -> None:
        folder = out / self.home(drawn.split, drawn.id)
        for name, view in zip(self.view_names(_VIEWS), drawn.views(), strict=True):
            levels = np.clip(np.rint(view.depth * (self.scale * 255 / _DEEPEST)), 0, 255).astype(np.uint8)
            write_bytes(folder / f"{name}.png", png.encode(view.layers.color))
            write_bytes(folder / f"{name}_normal.png", png.encode(view.normal_picture()))
            write_bytes(folder / f"{name}_depth.png", png.encode(levels))
        poses = np.stack([scaled(camera, self.scale).w2c()[:3] for camera in drawn.cameras])
        write_bytes(folder / _CAMERAS, npz.encode_named({"cam_poses": poses}))

    def whole(self, parts: Iterable[Written]) -> Iterator[tuple[str, bytes]]:
        for split, ids in by_split(parts).items():
            yield f"{split}/{_LIST}", json_text({"good_objs": ids})

    def expected(self, part: Written) -> Mapping[str, int]:
        home, views = self.home(part.split, part.key), self.view_names(_VIEWS)
        names = [f"{home}/{view}{kind}.png" for view in views for kind in ("", "_normal", "_depth")]
        return dict.fromkeys([*names, f"{home}/{_CAMERAS}"], 0)

    def check_views(self, folder: Path, part: Written, cameras: Sequence[Camera]) -> Iterator[str]:
        home = folder / self.home(part.split, part.key)
        with np.load(home / _CAMERAS, allow_pickle=False) as arrays:
            poses = arrays["cam_poses"]
        if not np.allclose(poses, [camera.w2c()[:3] for camera in cameras], atol=1e-6):
            yield f"{part.key}/{_CAMERAS} has other cameras than it should"
            return
        views = []
        for name, camera in zip(self.view_names(_VIEWS), cameras, strict=True):
            alpha = picture(home / f"{name}.png", "RGBA")[..., 3]
            depth = picture(home / f"{name}_depth.png", "L") * np.float32(_DEEPEST / 255)
            views.append(CheckedView(f"{part.key}/{name}", camera, (alpha > 127) & (depth > 0), depth))
        yield from check_sizes(views)
        yield from check_silhouettes(views, self.scale)
        yield from check_depth(views, self.scale)
        for name, view in zip(self.view_names(_VIEWS), views, strict=True):
            yield from check_facing(view, decode_normals(picture(home / f"{name}_normal.png", "RGBA")))
