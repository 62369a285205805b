"""The layout `difix`: reconstructions and characters on white, padded to 16:9, in one list."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from specsia_build import png
from specsia_build.cameras.records import CAMERAS_FILE, cameras_json
from specsia_build.dataset import schema
from specsia_build.dataset.layers import frame_file
from specsia_build.dataset.pairs import camera_of
from specsia_build.errors import CharacterError
from specsia_build.files.writing import write_bytes
from specsia_build.layouts.layout import Layout, json_text
from specsia_build.layouts.media import on_canvas
from specsia_build.layouts.part import Part, Written
from specsia_build.pictures.films import on_white

_LIST = "data.json"
_PROMPT = "remove degradation"
_STEPS = f"""\
cd FOLDER && accelerate launch DIFIX3D/src/train_difix.py --dataset_path {_LIST} --output_dir OUT"""


class Difix(Layout):
    """The layout that Difix3D's `PairedDataset` reads."""

    name = "difix"
    title = "reconstructions beside their characters, padded to 16:9 on white, as Difix3D reads them"
    unit = "character"
    layers = ()
    shows = "pairs"
    least = 1
    steps = _STEPS
    loading = f"""\
`{_LIST}` has rows by split: `image`, Z; `target_image`, Y\\*; `ref_image`, Y\\* of the first view; and a \
prompt. Pictures are RGB on white, padded to 16:9, as Difix3D resizes all to 576 x 1024. Paths count from \
this folder, so start the trainer here. In the published code item 0 cannot be read, as `PairedDataset` uses \
`img_t`, `output_t` and `ref_t` before they are set, and the trainer shuffles `img_names`, which is not there.

```bash
{_STEPS}
```
"""

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        rows: dict[str, dict[str, str]] = {}
        for pictures in part:
            key = pictures.meta["id"]
            for k in range(pictures.frames):
                folders = {"image": "images", "target_image": "targets"}
                row = {kind: f"{part.split}/{name}/{key}_{k:02d}.png" for kind, name in folders.items()}
                for file, layer in zip([*row.values()], (schema.COLOR, schema.GT), strict=True):
                    if frame_file(layer, k) not in pictures.files:
                        raise CharacterError(f"{key} has no {layer}: export a dataset of pairs")
                    picture = on_white(png.decode(pictures.raw(layer, k), 4))
                    shape = (len(picture), -(-len(picture) * 16 // 9))
                    write_bytes(out / file, png.encode(on_canvas(picture, shape, 255)))
                row |= {"ref_image": f"{part.split}/targets/{key}_00.png", "prompt": _PROMPT}
                rows[f"{key}_{k:02d}"] = row
        cameras = [camera_of(row, len(picture)) for row in pictures.meta["rows"]]
        record = cameras_json(cameras, [f"{k:02d}" for k in range(len(cameras))])
        write_bytes(out / part.split / "cameras" / part.key / CAMERAS_FILE, record)
        return {"frames": len(rows), "rows": rows}

    def whole(self, parts: Iterable[Written]) -> Iterator[tuple[str, bytes]]:
        lists: dict[str, dict[str, Any]] = {split: {} for split in schema.SPLITS}
        for part in parts:
            lists[part.split] |= part.facts["rows"]
        yield _LIST, json_text(lists)

    def expected(self, part: Written) -> Mapping[str, int]:
        names = [row[kind] for row in part.facts["rows"].values() for kind in ("image", "target_image")]
        return dict.fromkeys([*names, f"{part.split}/cameras/{part.key}/{CAMERAS_FILE}"], 0)
