"""The layout `zero123plus`: a frontal view and six at the azimuths and elevations of Zero123++ 1.2."""

from specsia_build.layouts.views.layout import ViewLayout

_FOLDER = "rendering_zero123plus"
_LIST = "lvis-annotations.json"
_STEPS = f"""\
data: {{params: {{  # train and validation
  train: {{params: {{root_dir: FOLDER/train, meta_fname: {_LIST}}}}},
  validation: {{params: {{root_dir: FOLDER/train, meta_fname: {_LIST}}}}}}}}}"""


class Zero123Plus(ViewLayout):
    """The layout that InstantMesh's `src.data.objaverse_zero123plus.ObjaverseData` reads."""

    name = "zero123plus"
    title = "a frontal view and the six of Zero123++ 1.2, as InstantMesh's fine-tuning reads them"
    rig = "zero123plus"
    fixed = True
    place = f"{{split}}/{_FOLDER}/{{id}}"
    list_file = _LIST
    list_key = "characters"
    least = 17
    held_out = "the last 16 of the list"
    steps = _STEPS
    loading = f"""\
`SPLIT/{_FOLDER}/ID/000.png` (RGBA) is the input, from the front; `001.png` to `006.png` are 30, 90, … 330 \
degrees counter-clockwise from it, seen from above, at elevations of 20 and -10 degrees by turns, with a fov \
of 30 degrees. `SPLIT/{_LIST}` has the ids in one group. The trainer holds out {held_out}.

```yaml
{_STEPS}
```
"""
