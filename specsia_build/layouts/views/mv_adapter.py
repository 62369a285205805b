"""The layout `mv-adapter`: ten orthographic views with depth and normals, and perspective references."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from specsia_build.arrays import Doubles, Floats
from specsia_build.files.records import read_json
from specsia_build.files.writing import write_bytes
from specsia_build.frame import Camera
from specsia_build.layouts.layout import json_text
from specsia_build.layouts.media import caption
from specsia_build.layouts.part import Written
from specsia_build.layouts.views.encoding import decode_exr, decode_normals, encode_exr, picture, webp
from specsia_build.layouts.views.layout import DrawnCharacter, ViewLayout, by_split
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.surface import SurfaceView

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
    per_view: ClassVar[Sequence[str]] = ("color_{}.webp", "normal_{}.webp", "depth_{}.exr")
    per_character: ClassVar[Sequence[str]] = (_META,)
    place = f"{{split}}/{_TARGETS}/{{id:.2}}/{{id}}"
    list_file = _LIST
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

    def view_names(self, count: int) -> Sequence[str]:
        return [f"{k:04d}" for k in range(count)]

    def write_views(self, drawn: DrawnCharacter, out: Path) -> Mapping[str, Any]:
        super().write_views(drawn, out)
        record = _meta(drawn.cameras, {"ortho_scale": drawn.cameras[0].width})
        write_bytes(out / self.home(drawn.split, drawn.id) / _META, record)
        references = drawn.by(_REFERENCE_RIG)
        folder = out / f"{drawn.split}/{_REFERENCES}/{drawn.id:.2}/{drawn.id}"
        for k, view in enumerate(references.views()):
            write_bytes(folder / f"color_{k:04d}.webp", webp(view.layers.color))
        angle = float(np.deg2rad(references.cameras[0].fov_deg or 0))
        write_bytes(folder / _META, _meta(references.cameras, {"camera_angle_x": angle}))
        return {"caption": caption({"character": drawn.id, "clip": {"origin": ""}})}

    def encode(self, view: SurfaceView) -> Sequence[bytes]:
        depth = np.where(view.shown, view.depth, np.float32(_NOTHING))
        normals = webp(view.normal_picture())
        return webp(view.layers.color), normals, encode_exr(np.repeat(depth[..., None], 3, axis=2))

    def whole(self, parts: Iterable[Written]) -> Iterator[tuple[str, bytes]]:
        listed = [*parts]
        texts = {part.key: part.facts["caption"] for part in listed}
        for split, keys in by_split(listed).items():
            yield f"{split}/{_CAPTIONS}", json_text({key: texts[key] for key in keys})
        yield from super().whole(listed)

    def expected(self, part: Written) -> Mapping[str, int]:
        home = f"{part.split}/{_REFERENCES}/{part.key:.2}/{part.key}"
        names = [_META, *(f"color_{k:04d}.webp" for k in range(_REFERENCE_VIEWS))]
        return {**super().expected(part), **dict.fromkeys((f"{home}/{name}" for name in names), 0)}

    def matrices(self, home: Path, cameras: Sequence[Camera]) -> Iterator[tuple[str, Any, Any]]:
        places = read_json(home / _META, _META)["locations"]
        yield _META, [place["transform_matrix"] for place in places], [camera.c2w() for camera in cameras]

    def depth(self, home: Path, view: str) -> Floats | Doubles | None:
        depth = decode_exr((home / f"depth_{view}.exr").read_bytes())[..., 0]
        return np.where(depth < _NOTHING, depth, np.float32(0))

    def normals(self, home: Path, view: str, camera: Camera) -> Doubles | None:
        return decode_normals(picture(home / f"normal_{view}.webp", "RGBA"))


def _meta(cameras: Sequence[Camera], lens: Mapping[str, float]) -> bytes:
    matrices = [camera.c2w().tolist() for camera in cameras]
    places = [{"index": f"{k:04d}", "transform_matrix": matrix, **lens} for k, matrix in enumerate(matrices)]
    return json_text({**lens, "locations": places})
