"""The layout `openlrm`: 32 perspective views of one lens, each with its camera-to-world matrix."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np

from specsia_build.arrays import Doubles
from specsia_build.dataset.schema import SPLITS
from specsia_build.frame import Camera
from specsia_build.layouts.layout import json_text
from specsia_build.layouts.part import Written
from specsia_build.layouts.views.layout import ViewLayout, by_split

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
    place = "views/{id}"
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

    def arrays(self, cameras: Sequence[Camera]) -> Mapping[str, Doubles]:
        focal, centre = cameras[0].focal_length, cameras[0].principal_point
        # Focal lengths, centre and size in pixels, (3, 2)
        lens = np.array([(focal, focal), centre, (cameras[0].size, cameras[0].height)])
        poses = {f"pose/{k:03d}.npy": camera.c2w()[:3] for k, camera in enumerate(cameras)}
        return {_LENS: lens, **poses}

    def whole(self, parts: Iterable[Written]) -> Iterator[tuple[str, bytes]]:
        lists = by_split(parts)
        for split, name in _LISTS.items():
            yield name, json_text(lists.get(split, []))
