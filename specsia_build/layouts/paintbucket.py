"""The layout `paintbucket`: line art, its segments, and which of them are the same part in all frames."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import skimage
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.annotation.lines import BACKGROUND, LINES, contents
from specsia_build.arrays import Pixels
from specsia_build.dataset.layers import LABEL, SEG
from specsia_build.errors import CharacterError
from specsia_build.files.writing import write_bytes
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.part import Part, Pictures, Written

TOP, _REF = "PaintBucket_Char", "ref"
TURNTABLE_SHEETS = 4  # Frames of the turntable; the reader draws one of four
_PATH_WORDS = ("line", "seg", "gt", "png")  # Words that the reader replaces anywhere in a path
_REACH = 0.39
"""Distance from the middle, in widths, up to which the trainer's rotation keeps pixels in the picture."""

_INK, _PAPER = (0, 0, 0, 255), (255, 255, 255, 0)


class PaintBucket(Layout):
    """Layout that BasicPBC's `PaintBucketLabelSegDataset` trains on and `PaintBucketSegMat` tests with."""

    name = "paintbucket"
    title = (
        "line art, its segments and their flat colours, frame after frame of a character, as BasicPBC reads "
        "them"
    )
    layers = (LABEL, SEG)
    defaults: ClassVar[Mapping[str, Any]] = {"size": 640, "turntable": True}
    unit = "character"
    loading = f"""\
`train/{TOP}/CHARACTER/` has `gt`, `line`, `label`, `seg`, `json_color` and `json_index` as \
PaintBucket-Character v1. Frames are numbered through all clips of a character; `numbers` in `parts.jsonl` \
gives the first number and the count of each clip. `test/` and `validation/` have `gt`, `line` and `seg` \
with its colours. `{_REF}/` holds {TURNTABLE_SHEETS} evenly spaced frames of the turntable. Numbers of \
`label` count the character's regions from 1, the same in all its frames.

```bash
# in a checkout of ykdai/BasicPBC; FOLDER is the folder of this card
sed "s#root: dataset/#root: FOLDER/#; s#name: {TOP}#name: mine#" \
options/train/basicpbc_pbch_train_option.yml > mine.yml
python basicsr/train.py -opt mine.yml
```

Frames without lines and a segment near the middle, or without background, are left out (`left_out` in \
`parts.jsonl`), as training would search them forever. In names of characters {", ".join(_PATH_WORDS)} have \
a capital (`Caroline` is `CaroLine`), as BasicPBC replaces these words in whole paths; no folder above \
FOLDER may have one of them in its name.
"""

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        folder = f"{part.split}/{TOP}/{folder_name(part.character)}"
        numbers: dict[str, list[int]] = {}
        count = left_out = sheets = 0
        for clip in part:
            usable = [k for k in range(clip.frames) if is_usable(clip.frame(SEG, k))]
            if len(set(clip.meta["yaws"])) > 1:
                sheets = TURNTABLE_SHEETS if len(usable) >= TURNTABLE_SHEETS else 0
                for sheet in range(sheets):
                    names = names_of(f"{folder}/{_REF}", sheet, part.split)
                    write_frame(out, names, clip, usable[sheet * len(usable) // TURNTABLE_SHEETS])
                continue
            for number, k in enumerate(usable, count):
                write_frame(out, names_of(folder, number, part.split), clip, k)
            numbers[clip.meta["id"]] = [count, len(usable)]
            count, left_out = count + len(usable), left_out + clip.frames - len(usable)
        if not numbers:
            raise CharacterError(
                f"{part.character} has no clip but its turntable, and BasicPBC learns from frames of "
                "motions: --motion FILE or NAME gives it one"
            )
        if not count:
            raise CharacterError(
                f"no frame of a motion of {part.character} has lines and a segment near its middle and "
                "background around, and BasicPBC's training would search for one forever: try --in-place, or "
                "another --size"
            )
        return {"frames": count, "left_out": left_out, "sheets": sheets, "numbers": numbers}

    def expected(self, part: Written) -> Mapping[str, int]:
        top = f"{part.split}/{TOP}/{folder_name(part.character)}"
        sheets = TURNTABLE_SHEETS if part.facts["sheets"] else 0
        frames = [names_of(top, number, part.split) for number in range(part.facts["frames"])]
        frames += [names_of(f"{top}/{_REF}", sheet, part.split) for sheet in range(sheets)]
        return {name: 0 for names in frames for name in names.values()}


def folder_name(character: str) -> str:
    """Id of a character with a capital in each of `_PATH_WORDS`; ids differ in more than case."""
    for word in _PATH_WORDS:
        character = character.replace(word, word.capitalize())
    return character


def names_of(folder: str, number: int, split: str) -> dict[str, str]:
    """Names of a frame's files by kind; outside of `train` the colours are beside the segments."""
    train = split == "train"
    pictures = ("gt", "line", "label", "seg") if train else ("gt", "line", "seg")
    records = {"json_color": "json_color", "json_index": "json_index"} if train else {"json_color": "seg"}
    return {
        **{picture: f"{folder}/{picture}/{number:05d}.png" for picture in pictures},
        **{record: f"{folder}/{place}/{number:05d}.json" for record, place in records.items()},
    }


def is_usable(seg: NDArray[np.int32]) -> bool:
    """Whether lines, a segment and background remain however the trainer rotates and crops a frame (H, W)."""
    rows, columns = (np.arange(side) + 0.5 - side / 2 for side in seg.shape)
    middle = seg[np.hypot(rows[:, None], columns) <= _REACH * len(seg)]
    return bool((middle == LINES).any() and (middle > BACKGROUND).any() and (seg == BACKGROUND).any())


def write_frame(out: Path, names: Mapping[str, str], clip: Pictures, k: int) -> None:
    """Write frame `k` of a clip below `out`."""
    seg = with_holes(clip.frame(SEG, k))
    segments = contents(seg, clip.frame(LABEL, k), np.asarray(clip.meta["palette"], np.uint8).reshape(-1, 3))
    index = np.where(segments.region < 0, -1, segments.region + 1)
    numbers = range(BACKGROUND, len(index))
    records = {
        "json_color": {str(n): segments.colors[n].tolist() for n in numbers},
        "json_index": {str(n): [int(segments.pixels[n]), int(index[n])] for n in numbers},
    }
    files = {layer: png.encode(picture) for layer, picture in _pictures(seg, segments.colors, index).items()}
    files |= {kind: json.dumps(record).encode() for kind, record in records.items()}
    for kind, name in names.items():
        write_bytes(out / name, files[kind])


def with_holes(seg: NDArray[np.int32]) -> NDArray[np.int32]:
    """Number enclosed parts of the background after the other segments (H, W), as PaintBucket-Character."""
    part = skimage.measure.label(seg == BACKGROUND, connectivity=1)
    outer = np.unique(np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]]))
    number = np.zeros(int(part.max()) + 1, np.int32)
    holes = np.setdiff1d(np.arange(1, len(number)), outer)
    number[holes] = int(seg.max()) + 1 + np.arange(len(holes))
    return np.where(number[part] > 0, number[part], seg)


def _pictures(seg: NDArray[np.int32], colors: Pixels, index: NDArray[np.integer]) -> dict[str, Pixels]:
    """Draw a frame from segments (H, W), their colours (N, 4) and regions (N,), from 1, -1 for background."""
    colors, index = colors.copy(), index.copy()
    colors[LINES], index[LINES] = _INK, 0
    line = np.array([_INK, *[_PAPER] * (len(index) - 1)], np.uint8)
    coded = np.ascontiguousarray(_coded(np.arange(len(index)))[seg][..., :3])
    return {"gt": colors[seg], "line": line[seg], "label": _coded(index)[seg], "seg": coded}


def _coded(numbers: NDArray[np.integer]) -> NDArray[np.uint8]:
    """(N, 4) colours that code numbers, most significant byte in red; negative ones are transparent."""
    colors = np.stack([numbers >> 16, numbers >> 8, numbers, np.full_like(numbers, 255)], axis=-1) & 255
    colors[numbers < 0] = 0
    return colors.astype(np.uint8)
