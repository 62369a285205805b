"""The layout `instantmesh`: 32 perspective views with normals of the frame and depth of 8 bits."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from specsia_build import npz, png
from specsia_build.arrays import Doubles, Floats
from specsia_build.files.writing import write_bytes
from specsia_build.frame import Camera
from specsia_build.layouts.views.checks import scaled
from specsia_build.layouts.views.encoding import decode_normals, picture
from specsia_build.layouts.views.layout import DrawnCharacter, ViewLayout
from specsia_build.rendering.surface import SurfaceView

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
    per_view: ClassVar[Sequence[str]] = ("{}.png", "{}_normal.png", "{}_depth.png")
    per_character: ClassVar[Sequence[str]] = (_CAMERAS,)
    place = f"{{split}}/{_FOLDER}/{{id}}"
    list_file = _LIST
    list_key = "good_objs"
    coarse = True
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

    def write_views(self, drawn: DrawnCharacter, out: Path) -> None:
        super().write_views(drawn, out)
        poses = np.stack([scaled(camera, self.scale).w2c()[:3] for camera in drawn.cameras])
        data = npz.encode_named({"cam_poses": poses})
        write_bytes(out / self.home(drawn.split, drawn.id) / _CAMERAS, data)

    def encode(self, view: SurfaceView) -> Sequence[bytes]:
        levels = np.clip(np.rint(view.depth * (self.scale * 255 / _DEEPEST)), 0, 255).astype(np.uint8)
        return [png.encode(image) for image in (view.layers.color, view.normal_picture(), levels)]

    def matrices(self, home: Path, cameras: Sequence[Camera]) -> Iterator[tuple[str, Any, Any]]:
        with np.load(home / _CAMERAS, allow_pickle=False) as arrays:
            yield _CAMERAS, arrays["cam_poses"], [camera.w2c()[:3] for camera in cameras]

    def depth(self, home: Path, view: str) -> Floats | Doubles | None:
        return picture(home / f"{view}_depth.png", "L") * np.float32(_DEEPEST / 255)

    def normals(self, home: Path, view: str, camera: Camera) -> Doubles | None:
        return decode_normals(picture(home / f"{view}_normal.png", "RGBA"))
