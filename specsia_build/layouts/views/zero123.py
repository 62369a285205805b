"""The layout `zero123`: perspective views from anywhere, each with its world-to-camera matrix."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.files.writing import write_bytes
from specsia_build.frame import Camera
from specsia_build.layouts.layout import json_text
from specsia_build.layouts.part import Written
from specsia_build.layouts.views.checks import CheckedView, check_silhouettes, check_sizes, scaled
from specsia_build.layouts.views.encoding import picture
from specsia_build.layouts.views.layout import DrawnCharacter, ViewLayout, by_split

_LIST = "valid_paths.json"
_FOV = float(np.rad2deg(2 * np.arctan(16 / 35)))  # A lens of 35 mm before a film of 32 mm
_STEPS = "data: {params: {root_dir: FOLDER/train, total_view: VIEWS}}"


class Zero123(ViewLayout):
    """The layout that zero123's `ldm.data.simple.ObjaverseData` reads."""

    name = "zero123"
    title = "perspective views from anywhere with their matrices, as zero123 reads them"
    rig = f"random:12@fov={_FOV:.6f},radius=1.5..2.2"
    perspective = True
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

    def whole(self, parts: Iterable[Written]) -> Iterator[tuple[str, bytes]]:
        for split, ids in by_split(parts).items():
            yield f"{split}/{_LIST}", json_text(ids)

    def expected(self, part: Written) -> Mapping[str, int]:
        home, views = self.home(part.split, part.key), self.view_names(part.facts["frames"])
        return dict.fromkeys((f"{home}/{view}{suffix}" for view in views for suffix in (".png", ".npy")), 0)

    def check_views(self, folder: Path, part: Written, cameras: Sequence[Camera]) -> Iterator[str]:
        home, views = folder / self.home(part.split, part.key), []
        for name, camera in zip(self.view_names(len(cameras)), cameras, strict=True):
            if not np.allclose(
                np.load(home / f"{name}.npy", allow_pickle=False), camera.w2c()[:3], atol=1e-6
            ):
                yield f"{part.key}/{name}.npy is not the matrix of its camera"
            alpha = picture(home / f"{name}.png", "RGBA")[..., 3]
            views.append(CheckedView(f"{part.key}/{name}", camera, alpha > 127))
        yield from check_sizes(views)
        yield from check_silhouettes(views, self.scale)


def npy(array: NDArray[np.floating]) -> bytes:
    """Bytes of a NumPy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
