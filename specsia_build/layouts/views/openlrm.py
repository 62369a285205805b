"""The layout `openlrm`: 32 perspective views of one lens, each with its camera-to-world matrix."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.dataset.schema import SPLITS
from specsia_build.files.writing import write_bytes
from specsia_build.frame import Camera
from specsia_build.layouts.layout import json_text
from specsia_build.layouts.part import Written
from specsia_build.layouts.views.checks import scaled
from specsia_build.layouts.views.layout import DrawnCharacter, ViewLayout, by_split
from specsia_build.layouts.views.zero123 import npy

_FOV = float(np.rad2deg(2 * np.arctan(16 / 24)))  # A lens of 24 mm before a film of 32 mm
_LISTS = dict(zip(SPLITS, ("train_uids.json", "val_uids.json", "test_uids.json"), strict=True))
_LENS = "intrinsics.npy"
_STEPS = """\
dataset:
  subsets:
    - name: objaverse
      root_dirs: [FOLDER/views]
      meta_path: {train: FOLDER/train_uids.json, val: FOLDER/val_uids.json}
      sample_rate: 1.0"""


class OpenLRM(ViewLayout):
    """The layout that OpenLRM's `ObjaverseDataset` reads."""

    name = "openlrm"
    title = "32 perspective views with their matrices, as OpenLRM reads them"
    rig = f"random:32@fov={_FOV:.6f},radius=0.95..1.3"
    views: ClassVar[int | None] = 32
    perspective = True
    per_view: ClassVar[Sequence[str]] = ("rgba/{}.png", "pose/{}.npy")
    per_character: ClassVar[Sequence[str]] = (_LENS,)
    scale = 2.0
    steps = _STEPS
    loading = f"""\
`views/ID/` has `rgba/NNN.png`, `pose/NNN.npy` (3, 4), camera to world in OpenGL's axes, Z up, and \
`{_LENS}` (3, 2): focal lengths, centre and size in pixels. The longest side is 2, or less where a view \
would cut the character, and cameras stand 1.9 to 2.6 away. {", ".join(_LISTS.values())} list the ids; \
a folder that is missing ends an epoch.

```yaml
{_STEPS}
```
"""

    def home(self, split: str, character: str) -> str:
        return f"views/{character}"

    def write_views(self, drawn: DrawnCharacter, out: Path) -> None:
        folder = out / self.home(drawn.split, drawn.id)
        for k, view in enumerate(drawn.views()):
            write_bytes(folder / "rgba" / f"{k:03d}.png", png.encode(view.layers.color))
            write_bytes(folder / "pose" / f"{k:03d}.npy", npy(scaled(view.camera, self.scale).c2w()[:3]))
        write_bytes(folder / _LENS, npy(_lens(drawn.cameras[0])))

    def whole(self, parts: Iterable[Written]) -> Iterator[tuple[str, bytes]]:
        lists = by_split(parts)
        for split, name in _LISTS.items():
            yield name, json_text(lists.get(split, []))

    def matrices(self, home: Path, cameras: Sequence[Camera]) -> Iterator[tuple[str, Any, Any]]:
        yield _LENS, np.load(home / _LENS, allow_pickle=False), _lens(cameras[0])
        for view, camera in zip(self.view_names(len(cameras)), cameras, strict=True):
            name = f"pose/{view}.npy"
            yield name, np.load(home / name, allow_pickle=False), camera.c2w()[:3]


def _lens(camera: Camera) -> NDArray[np.float64]:
    """Focal lengths, centre and size in pixels, (3, 2)."""
    focal = (camera.focal_length, camera.focal_length)
    return np.array([focal, camera.principal_point, (camera.size, camera.height)])
