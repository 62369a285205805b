"""The layout `wonder3d`: six orthographic views with masks and normals of each view's own camera."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from specsia_build import png
from specsia_build.files.writing import write_bytes
from specsia_build.frame import Camera
from specsia_build.layouts.layout import json_text
from specsia_build.layouts.part import Written
from specsia_build.layouts.views.checks import CheckedView, check_facing, check_silhouettes, check_sizes
from specsia_build.layouts.views.encoding import decode_normals, picture
from specsia_build.layouts.views.layout import DrawnCharacter, ViewLayout, by_split
from specsia_build.rendering.mesh import Mesh

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

    def home(self, split: str, character: str) -> str:
        return f"{split}/{character[:3]}/{character}"

    def view_names(self, count: int) -> Sequence[str]:
        return _VIEWS

    def write_views(self, drawn: DrawnCharacter, out: Path) -> None:
        folder = out / self.home(drawn.split, drawn.id)
        for name, view in zip(_VIEWS, drawn.views(), strict=True):
            alpha = view.layers.mask
            normals = view.normal_picture(own_axes=True)[..., :3]
            # The reader turns normals after it has mixed rims with the ground, where black is no vector.
            normals[alpha == 0] = _NO_NORMAL
            pictures = {"rgb": view.layers.color, "mask": alpha, "normals": np.ascontiguousarray(normals)}
            for kind, pixels in pictures.items():
                write_bytes(folder / f"{kind}_000_{name}.png", png.encode(pixels))

    def whole(self, parts: Iterable[Written]) -> Iterator[tuple[str, bytes]]:
        for split, ids in by_split(parts).items():
            yield f"{split}/{_LIST}", json_text(ids)

    def expected(self, part: Written) -> Mapping[str, int]:
        home = self.home(part.split, part.key)
        names = (f"{home}/{kind}_000_{view}.png" for kind in ("rgb", "mask", "normals") for view in _VIEWS)
        return dict.fromkeys(names, 0)

    def check_views(self, folder: Path, part: Written, cameras: Sequence[Camera]) -> Iterator[str]:
        home = folder / self.home(part.split, part.key)
        views = []
        for name, camera in zip(_VIEWS, cameras, strict=True):
            alpha = picture(home / f"rgb_000_{name}.png", "RGBA")[..., 3]
            if not np.array_equal(alpha, picture(home / f"mask_000_{name}.png", "L")):
                yield f"mask_000_{name}.png is not the alpha of its picture"
            views.append(CheckedView(f"{part.key}/{name}", camera, alpha > 127))
        yield from check_sizes(views)
        yield from check_silhouettes(views, 1.0)
        for name, view in zip(_VIEWS, views, strict=True):
            levels = picture(home / f"normals_000_{name}.png", "RGB")
            yield from check_facing(view, decode_normals(levels) @ view.camera.c2w()[:3, :3].T)
