"""The layout `animerun`: frames with exact flow, occlusion, and segments that are matched."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.annotation.lines import LINES, matching
from specsia_build.dataset.layers import BACK, BACK_UNMATCHED, COLOR, FLOW, LABEL, LINE, SEG, UNMATCHED
from specsia_build.errors import CharacterError, plural
from specsia_build.files.writing import write_bytes
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.media import npy, rgb
from specsia_build.layouts.part import Part, Pictures, Written
from specsia_build.pictures.films import on_white

_MOST_FRAMES = 9999  # names have four digits
_PICTURE = "Frame_Anime/{}/original/{}.png"
_CONTOUR = "contour/{}/{}.png"
_SEGMENT = "Segment/{}/{}.npy"
_FORWARD = "Flow/{}/forward/{}.flo"
_MATCHED = "UnmatchedForward/{}/{}.npy"
_PAPER = "LineArea/{}/{}.npy"
_BACKWARD = "Flow/{}/backward/{}.flo"
_NEXT, _LAST = "SegMatching/{}/forward/{}.json", "SegMatching/{}/backward/{}.json"


class _SegmentedFrame(NamedTuple):
    """Segments and regions (H, W) of a frame, and the sorted numbers of its segments."""

    seg: NDArray[np.int32]
    label: NDArray[np.int32]
    numbers: NDArray[np.int32]


class AnimeRun(Layout):
    """The layout that AnimeRun's `AnimeRun` and `AnimeRunSegMat` read."""

    name = "animerun"
    title = (
        "frames with lines, flow, what is hidden, and segments with their matches, as AnimeRun's loaders "
        "read them"
    )
    layers = (COLOR, LINE, LABEL, SEG, FLOW, UNMATCHED, BACK, BACK_UNMATCHED)
    defaults: ClassVar[Mapping[str, Any]] = {"size": 640}
    loading = """\
`SPLIT/Frame_Anime/CLIP/original/0001.png` … are frames with lines on white; `contour/` the lines alone; \
`Flow/CLIP/forward/0001.flo` leads to the next frame and `backward/0002.flo` to the last one; \
`UnmatchedForward/` is 1 where a point is visible in the next frame, as the loaders expect; `LineArea/` is \
0 on lines; `Segment/` is 0 for lines, 1 for background, then the enclosed segments; \
`SegMatching/CLIP/forward/0001.json` and `backward/0002.json` give the number of each segment in the other \
frame, or -1.

```python
# in the folder flow of a checkout of lisiyao21/AnimeRun; FOLDER is the folder of this card
from datasets.flow_datasets import AnimeRun

dataset = AnimeRun({"crop_size": (384, 512), "min_scale": -0.2, "max_scale": 0.6, "do_flip": True},
                   split="train", root="FOLDER", dstype="Frame_Anime")
print(len(dataset), [array.shape for array in dataset[0]])
```

In the folder `segmat` use `AnimeRunSegMat` of `datasets.anime_seg_mat_dataset`, with None as its first \
argument, and `dstype="contour"` for line art. To train, replace `root` in those files by FOLDER.
"""

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        (clip,) = part
        if not 2 <= clip.frames <= _MOST_FRAMES:
            problem = f"{part.key} has {plural(clip.frames, 'frame')}, and AnimeRun takes 2 to {_MOST_FRAMES}"
            cure = "--fps says how many there are of a second, --frames how many at most"
            raise CharacterError(f"{problem}: {cure}")

        @lru_cache(3)
        def view(k: int) -> _SegmentedFrame:
            seg = clip.frame(SEG, k)
            return _SegmentedFrame(seg, clip.frame(LABEL, k), np.unique(seg))

        for k in range(clip.frames):
            files = _of_frame(clip, k, view(k))
            if k + 1 < clip.frames:
                files |= _to_next(clip, k, view(k), view(k + 1))
            if k:
                flow = clip.frame(BACK, k)
                files[_BACKWARD] = flo(flow)
                files[_LAST] = _matches(view(k), view(k - 1), flow, clip.frame(BACK_UNMATCHED, k))
            for place, data in files.items():
                write_bytes(out / name_of(part, k, place), data)
        return {"frames": clip.frames}

    def expected(self, part: Written) -> Mapping[str, int]:
        count = part.facts["frames"]
        return {name_of(part, k, place): 0 for k in range(count) for place in _places(k, count)}


def name_of(part: Part | Written, frame: int, place: str) -> str:
    """Name of a file of a frame; frames are numbered from 1."""
    return f"{part.split}/{place.format(part.key, f'{frame + 1:04d}')}"


def _places(k: int, count: int) -> list[str]:
    """Kinds of files of frame `k`; the last frame has no next one, the first none before."""
    forward, backward = [_FORWARD, _MATCHED, _PAPER, _NEXT], [_BACKWARD, _LAST]
    return [_PICTURE, _CONTOUR, _SEGMENT, *(forward if k + 1 < count else []), *(backward if k else [])]


def _of_frame(clip: Pictures, k: int, view: _SegmentedFrame) -> dict[str, bytes]:
    line = rgb(clip.frame(LINE, k))
    picture = (on_white(clip.frame(COLOR, k)) * line.astype(np.uint16) + 127) // 255
    return {
        _PICTURE: png.encode(picture.astype(np.uint8)),
        _CONTOUR: png.encode(line),
        _SEGMENT: npy(np.searchsorted(view.numbers, view.seg).astype(np.int32)),
    }


def _to_next(clip: Pictures, k: int, here: _SegmentedFrame, there: _SegmentedFrame) -> dict[str, bytes]:
    flow, unmatched = clip.frame(FLOW, k), clip.frame(UNMATCHED, k)
    return {
        _FORWARD: flo(flow),
        # In spite of the folder's name 1 is matched, and so is the background.
        _MATCHED: npy((~unmatched | (here.label < 0)).astype(np.uint8)),
        _PAPER: npy((here.seg != LINES).astype(np.uint8)),
        _NEXT: _matches(here, there, flow, unmatched),
    }


def _matches(
    here: _SegmentedFrame, there: _SegmentedFrame, flow: NDArray[np.float32], unmatched: NDArray[np.bool_]
) -> bytes:
    """For each segment the index of its match among the segments of the other frame, or -1, as JSON."""
    match = matching(here.seg, here.label, there.seg, there.label, flow, unmatched)[here.numbers]
    place = np.searchsorted(there.numbers, match).clip(max=len(there.numbers) - 1)
    place[there.numbers[place] != match] = -1
    return json.dumps({str(number): [int(index)] for number, index in enumerate(place)}).encode()


def flo(flow: NDArray[np.float32]) -> bytes:
    head = np.array(202021.25, "<f4").tobytes() + np.array(flow.shape[1::-1], "<i4").tobytes()
    return head + flow.astype("<f4").tobytes()
