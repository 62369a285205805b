"""The layout `zero123`: perspective views from anywhere, each with its world-to-camera matrix."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from specsia_build.arrays import Doubles
from specsia_build.frame import Camera
from specsia_build.layouts.views.layout import ViewLayout

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

    def arrays(self, cameras: Sequence[Camera]) -> Mapping[str, Doubles]:
        return {f"{k:03d}.npy": camera.w2c()[:3] for k, camera in enumerate(cameras)}
