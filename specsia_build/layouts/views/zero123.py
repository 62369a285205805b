"""The layout `zero123`: perspective views from anywhere, each with its world-to-camera matrix."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.files.writing import write_bytes
from specsia_build.frame import Camera
from specsia_build.layouts.views.checks import scaled
from specsia_build.layouts.views.layout import DrawnCharacter, ViewLayout

_LIST = "valid_paths.json"
_FOV = float(np.rad2deg(2 * np.arctan(16 / 35)))  # A lens of 35 mm before a film of 32 mm
_STEPS = "data: {params: {root_dir: FOLDER/train, total_view: VIEWS}}"


class Zero123(ViewLayout):
    """The layout that zero123's `ldm.data.simple.ObjaverseData` reads."""

    name = "zero123"
    title = "perspective views from anywhere with their matrices, as zero123 reads them"
    rig = f"random:12@fov={_FOV:.6f},radius=1.5..2.2"
    perspective = True
    per_view: ClassVar[Sequence[str]] = ("{}.png", "{}.npy")
    list_file = _LIST
    least = 2
    held_out = "the last hundredth of the list, one name at least"
    steps = _STEPS
    loading = f"""\
`SPLIT/ID/NNN.png` (RGBA, straight alpha) is a view, and `NNN.npy` (3, 4) its world-to-camera matrix in \
OpenGL's axes, Z up; the longest side is 1. `SPLIT/{_LIST}` lists the ids. `total_view` must be the number \
of views, for which the published configuration has 4. The trainer holds out {held_out}.

```yaml
{_STEPS}
```
"""

    def write_views(self, drawn: DrawnCharacter, out: Path) -> None:
        folder = out / self.home(drawn.split, drawn.id)
        for k, view in enumerate(drawn.views()):
            write_bytes(folder / f"{k:03d}.png", png.encode(view.layers.color))
            write_bytes(folder / f"{k:03d}.npy", npy(scaled(view.camera, self.scale).w2c()[:3]))

    def matrices(self, home: Path, cameras: Sequence[Camera]) -> Iterator[tuple[str, Any, Any]]:
        for view, camera in zip(self.view_names(len(cameras)), cameras, strict=True):
            yield f"{view}.npy", np.load(home / f"{view}.npy", allow_pickle=False), camera.w2c()[:3]


def npy(array: NDArray[np.floating]) -> bytes:
    """Bytes of a NumPy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
