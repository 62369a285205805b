"""The layout `wonder3d`: six orthographic views with masks and normals of each view's own camera."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from specsia_build import png
from specsia_build.arrays import Doubles
from specsia_build.frame import Camera
from specsia_build.layouts.part import Written
from specsia_build.layouts.views.encoding import decode_normals, picture
from specsia_build.layouts.views.layout import ViewLayout
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.surface import SurfaceView

_VIEWS = ("front", "front_right", "right", "back", "left", "front_left")
_LIST = "ids.json"
_NO_NORMAL = 128  # Ground of normals: the level of 0
_STEPS = f"""\
train_dataset:  # and validation_dataset, validation_train_dataset
  root_dir: FOLDER/train
  object_list: FOLDER/train/{_LIST}
  invalid_list: null
  backup_scene: ID  # one of the list
  read_mask: true
  suffix: png"""


class Wonder3D(ViewLayout):
    """The layout that Wonder3D's `ObjaverseDataset` reads."""

    name = "wonder3d"
    title = "six orthographic views with normals and masks, as Wonder3D reads them"
    defaults: ClassVar[Mapping[str, Any]] = {"size": 256}
    rig = "wonder3d"
    fixed = True
    per_view: ClassVar[Sequence[str]] = ("rgb_000_{}.png", "mask_000_{}.png", "normals_000_{}.png")
    place = "{split}/{id:.3}/{id}"
    list_file = _LIST
    least = 65
    held_out = "the last 32 or 64 of the list, in an order that differs from run to run"
    steps = _STEPS
    loading = f"""\
`SPLIT/ID[:3]/ID/` has `rgb_000_VIEW.png` (RGBA), `mask_000_VIEW.png` (L) and `normals_000_VIEW.png` (RGB) \
of {", ".join(_VIEWS)}; right is the viewer's right in the front picture. Normals are in the axes of each \
view's own camera: red right, green up, blue to the viewer, on grey. The diagonal of the box is 1, and a \
picture spans 1.35. `SPLIT/{_LIST}` lists the ids. Wonder3D holds out {held_out}; an object that cannot be \
read is replaced by `backup_scene`, which must be one of these. 256 pixels are the published `img_wh`: from \
larger pictures the reader makes normals that are longer than 1 at borders.

```yaml
{_STEPS}
```
"""

    def longest(self, mesh: Mesh) -> float:
        return 1 / float(np.linalg.norm(np.ptp(mesh.vertices, axis=0)))

    def view_names(self, count: int) -> Sequence[str]:
        return _VIEWS

    def encode(self, view: SurfaceView) -> Sequence[bytes]:
        alpha, normals = view.layers.mask, view.normal_picture(own_axes=True)[..., :3]
        # The reader turns normals after it has mixed rims with the ground, where black is no vector.
        normals[alpha == 0] = _NO_NORMAL
        return [png.encode(image) for image in (view.layers.color, alpha, np.ascontiguousarray(normals))]

    def normals(self, home: Path, view: str, camera: Camera) -> Doubles | None:
        own = decode_normals(picture(home / f"normals_000_{view}.png", "RGB"))
        return np.asarray(own @ camera.c2w()[:3, :3].T)

    def check_views(self, folder: Path, part: Written, cameras: Sequence[Camera]) -> Iterator[str]:
        home = folder / self.home(part.split, part.key)
        for view in _VIEWS:
            alpha = picture(home / f"rgb_000_{view}.png", "RGBA")[..., 3]
            if not np.array_equal(alpha, picture(home / f"mask_000_{view}.png", "L")):
                yield f"{part.key}/mask_000_{view}.png is not the alpha of its picture"
        yield from super().check_views(folder, part, cameras)
