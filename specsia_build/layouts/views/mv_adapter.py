"""The layout `mv-adapter`: ten orthographic views with depth and normals, and perspective references."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from specsia_build.files.writing import write_bytes
from specsia_build.frame import Camera
from specsia_build.layouts.layout import json_text
from specsia_build.layouts.media import caption
from specsia_build.layouts.part import Written
from specsia_build.layouts.views.checks import (
    CheckedView,
    check_depth,
    check_normals,
    check_silhouettes,
    check_sizes,
)
from specsia_build.layouts.views.encoding import decode_exr, decode_normals, encode_exr, picture, webp
from specsia_build.layouts.views.layout import DrawnCharacter, ViewLayout, by_split
from specsia_build.rendering.mesh import Mesh

_TARGETS, _REFERENCES = "ortho", "random"
_REFERENCE_VIEWS = 6
_REFERENCE_RIG = f"random:{_REFERENCE_VIEWS}@fov=40,elevation=-15..55,radius=2.2..2.6"
_META = "meta.json"
_LIST, _CAPTIONS = "list.json", "captions.json"
_NOTHING = 65535.0  # Depth where nothing is seen
_STEPS = f"""\
data:
  root_dir: FOLDER/train/{_TARGETS}
  scene_list: FOLDER/train/{_LIST}
  prompt_db_path: FOLDER/train/{_CAPTIONS}
  image_modality: color
  image_names: ["0000", "0004", "0001", "0002", "0003", "0005"]
  projection_type: ORTHO
  reference_root_dir: FOLDER/train/{_REFERENCES}
  reference_scene_list: FOLDER/train/{_LIST}
  reference_image_modality: color
  reference_image_names: ["0000", "0001", "0002", "0003", "0004", "0005"]
# export OPENCV_IO_ENABLE_OPENEXR=1, and opencv below 5"""


class MVAdapter(ViewLayout):
    """The layout that MV-Adapter's `MultiviewDataset` reads."""

    name = "mv-adapter"
    title = "ten orthographic views with depth and normals, and references, as MV-Adapter reads them"
    defaults: ClassVar[Mapping[str, Any]] = {"size": 768}
    rig = "mv-adapter"
    fixed = True
    least = 9
    held_out = "the last 8 of the list"
    steps = _STEPS
    loading = f"""\
`SPLIT/{_TARGETS}/ID[:2]/ID/` has `color_NNNN.webp` (RGBA), `normal_NNNN.webp` (RGBA, of the frame, Z up), \
`depth_NNNN.exr` (three equal channels, units along the axis, {_NOTHING:.0f} where nothing is) and `{_META}` \
with camera-to-world matrices in OpenGL's axes; a picture spans 1.1. 0000 is the front, 0001 to 0003 are 90, \
180 and 270 degrees, 0004 to 0007 45, 315, 135 and 225, 0008 above and 0009 below. The longest side is .99: \
MV-Adapter clamps positions at .5. `SPLIT/{_REFERENCES}/` has {_REFERENCE_VIEWS} perspective views of them \
all. The trainer holds out {held_out}.

```yaml
{_STEPS}
```
"""

    def longest(self, mesh: Mesh) -> float:
        return 0.99

    def home(self, split: str, character: str, root: str = _TARGETS) -> str:
        return f"{split}/{root}/{character[:2]}/{character}"

    def view_names(self, count: int) -> Sequence[str]:
        return [f"{k:04d}" for k in range(count)]

    def write_views(self, drawn: DrawnCharacter, out: Path) -> Mapping[str, Any]:
        folder = out / self.home(drawn.split, drawn.id)
        for k, view in enumerate(drawn.views()):
            depth = np.where(view.shown, view.depth, np.float32(_NOTHING))
            write_bytes(folder / f"color_{k:04d}.webp", webp(view.layers.color))
            write_bytes(folder / f"normal_{k:04d}.webp", webp(view.normal_picture()))
            write_bytes(folder / f"depth_{k:04d}.exr", encode_exr(np.repeat(depth[..., None], 3, axis=2)))
        width = drawn.cameras[0].width
        write_bytes(folder / _META, _meta(drawn.cameras, {"ortho_scale": width}))
        references = drawn.by(_REFERENCE_RIG)
        folder = out / self.home(drawn.split, drawn.id, _REFERENCES)
        for k, view in enumerate(references.views()):
            write_bytes(folder / f"color_{k:04d}.webp", webp(view.layers.color))
        angle = float(np.deg2rad(references.cameras[0].fov_deg or 0))
        write_bytes(folder / _META, _meta(references.cameras, {"camera_angle_x": angle}))
        return {"caption": caption({"character": drawn.id, "clip": {"origin": ""}})}

    def whole(self, parts: Iterable[Written]) -> Iterator[tuple[str, bytes]]:
        listed = [*parts]
        for split, ids in by_split(listed).items():
            captions = {part.key: part.facts["caption"] for part in listed if part.split == split}
            yield f"{split}/{_LIST}", json_text(ids)
            yield f"{split}/{_CAPTIONS}", json_text(captions)

    def expected(self, part: Written) -> Mapping[str, int]:
        home, references = (self.home(part.split, part.key, root) for root in (_TARGETS, _REFERENCES))
        names = [f"{home}/{_META}", f"{references}/{_META}"]
        names += [f"{references}/color_{k:04d}.webp" for k in range(_REFERENCE_VIEWS)]
        for view in self.view_names(part.facts["frames"]):
            names += [f"{home}/{file}" for file in _files(view)]
        return dict.fromkeys(names, 0)

    def check_views(self, folder: Path, part: Written, cameras: Sequence[Camera]) -> Iterator[str]:
        home, views = folder / self.home(part.split, part.key), []
        normals = []
        if (home / _META).read_bytes() != _meta(cameras, {"ortho_scale": cameras[0].width}):
            yield f"{part.key}/{_META} has other cameras than it should"
        for name, camera in zip(self.view_names(len(cameras)), cameras, strict=True):
            color, normal, depth = (home / file for file in _files(name))
            distance = decode_exr(depth.read_bytes())[..., 0]
            shown = (picture(color, "RGBA")[..., 3] > 127) & (distance < _NOTHING)
            views.append(CheckedView(f"{part.key}/{name}", camera, shown, np.where(shown, distance, 0)))
            normals.append(decode_normals(picture(normal, "RGBA")))
        yield from check_sizes(views)
        yield from check_silhouettes(views, self.scale)
        yield from check_depth(views, self.scale)
        for view, given in zip(views, normals, strict=True):
            yield from check_normals(view, given)


def _files(view: str) -> tuple[str, str, str]:
    return f"color_{view}.webp", f"normal_{view}.webp", f"depth_{view}.exr"


def _meta(cameras: Sequence[Camera], lens: Mapping[str, float]) -> bytes:
    matrices = [camera.c2w().tolist() for camera in cameras]
    places = [{"index": f"{k:04d}", "transform_matrix": matrix, **lens} for k, matrix in enumerate(matrices)]
    return json_text({**lens, "locations": places})
