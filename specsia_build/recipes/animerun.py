"""The recipe `animerun`: frames with exact flow, what is hidden in the next one, and segments that are matched."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.annotation.segments import LINES, matching
from specsia_build.dataset.layers import BACK, BACK_UNMATCHED, COLOR, FLOW, LABEL, LINE, SEG, UNMATCHED
from specsia_build.errors import CharacterError, plural
from specsia_build.films import on_white
from specsia_build.recipes import checks
from specsia_build.recipes.recipe import ClipFrames, Part, Recipe, Written

MOST_FRAMES = 9999  # names have four digits

PICTURE, CONTOUR, SEGMENT = "Frame_Anime/{}/original/{}.png", "contour/{}/{}.png", "Segment/{}/{}.npy"
FORWARD, MATCHED, PAPER = "Flow/{}/forward/{}.flo", "UnmatchedForward/{}/{}.npy", "LineArea/{}/{}.npy"
BACKWARD = "Flow/{}/backward/{}.flo"
NEXT, LAST = "SegMatching/{}/forward/{}.json", "SegMatching/{}/backward/{}.json"


@dataclass(frozen=True)
class _View:
    """Segments and regions (H, W) of a frame, and the sorted numbers of its segments."""

    seg: NDArray[np.int32]
    label: NDArray[np.int32]
    numbers: NDArray[np.int32]


class AnimeRun(Recipe):
    """The layout that AnimeRun's `AnimeRun` and `AnimeRunSegMat` read."""

    name = "animerun"
    title = "frames with lines, flow, what is hidden, and segments with their matches, as AnimeRun's loaders read them"
    layers = (COLOR, LINE, LABEL, SEG, FLOW, UNMATCHED, BACK, BACK_UNMATCHED)
    by_pattern = True
    defaults: ClassVar[Mapping[str, Any]] = {"size": 640}

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        (clip,) = part
        if not 2 <= clip.frames <= MOST_FRAMES:
            raise CharacterError(
                f"{part.key} has {plural(clip.frames, 'frame')}, and AnimeRun takes 2 to {MOST_FRAMES}: "
                "--fps says how many there are of a second, --frames how many at most"
            )

        @lru_cache(3)
        def view(k: int) -> _View:
            seg = clip.frame(SEG, k)
            return _View(seg, clip.frame(LABEL, k), np.unique(seg))

        for k in range(clip.frames):
            files = _of_frame(clip, k, view(k))
            if k + 1 < clip.frames:
                files |= _to_next(clip, k, view(k), view(k + 1))
            if k:
                flow = clip.frame(BACK, k)
                files[BACKWARD] = flo(flow)
                files[LAST] = _matches(view(k), view(k - 1), flow, clip.frame(BACK_UNMATCHED, k))
            for place, data in files.items():
                path = out / name_of(part, k, place)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        return {"frames": clip.frames}

    def load(self) -> str:
        return _LOAD

    def verify(self, folder: Path, part: Written) -> Iterator[str]:
        count = checks.frames(part)
        wanted = {name_of(part, k, place) for k in range(count) for place in _places(k, count)}
        yield from checks.names(part, wanted)
        if wanted <= part.files.keys():
            for k in range(count):
                yield from _wrong(folder, part, k)


def name_of(part: Part | Written, frame: int, place: str) -> str:
    """Name of a frame's file; frames are numbered from 1."""
    return f"{part.split}/{place.format(part.key, f'{frame + 1:04d}')}"


def _places(k: int, count: int) -> list[str]:
    """Kinds of files of frame `k`; the last frame leads to no next one, the first to none before."""
    forward, backward = [FORWARD, MATCHED, PAPER, NEXT], [BACKWARD, LAST]
    return [PICTURE, CONTOUR, SEGMENT, *(forward if k + 1 < count else []), *(backward if k else [])]


def _of_frame(clip: ClipFrames, k: int, view: _View) -> dict[str, bytes]:
    line = clip.frame(LINE, k)[..., None].astype(np.uint16)
    drawn = (on_white(clip.frame(COLOR, k)) * line + 127) // 255
    return {
        PICTURE: png.encode(drawn.astype(np.uint8)),
        CONTOUR: png.encode(np.repeat(line, 3, axis=-1).astype(np.uint8)),
        SEGMENT: npy(np.searchsorted(view.numbers, view.seg).astype(np.int32)),
    }


def _to_next(clip: ClipFrames, k: int, here: _View, there: _View) -> dict[str, bytes]:
    flow, unmatched = clip.frame(FLOW, k), clip.frame(UNMATCHED, k)
    return {
        FORWARD: flo(flow),
        # In spite of the name, 1 is matched; the background is.
        MATCHED: npy((~unmatched | (here.label < 0)).astype(np.uint8)),
        PAPER: npy((here.seg != LINES).astype(np.uint8)),
        NEXT: _matches(here, there, flow, unmatched),
    }


def _matches(here: _View, there: _View, flow: NDArray[np.float32], unmatched: NDArray[np.bool_]) -> bytes:
    """The index of each segment's match among the other frame's segments, or -1, as JSON."""
    goes = matching(here.seg, here.label, there.seg, there.label, flow, unmatched)[here.numbers]
    place = np.searchsorted(there.numbers, goes).clip(max=len(there.numbers) - 1)
    place[there.numbers[place] != goes] = -1
    return json.dumps({str(number): [int(match)] for number, match in enumerate(place)}).encode()


def _wrong(folder: Path, part: Written, k: int) -> Iterator[str]:
    """Check a frame, and the flow and matches to the frames beside it."""
    count, name = part.facts["frames"], partial(name_of, part, k)
    segment = checks.array(folder, name(SEGMENT), None, "int32")
    numbers = [str(number) for number in range(int(segment.max()) + 1)]
    if np.unique(segment).tolist() != list(range(len(numbers))):
        yield f"{name(SEGMENT)} is not numbered from 0 on without gaps"
    for place in (PICTURE, CONTOUR):
        checks.picture(folder, name(place), 3, segment.shape)
    for other, way, matches in ((k + 1, FORWARD, NEXT), (k - 1, BACKWARD, LAST)):
        if 0 <= other < count:
            most = checks.array(folder, name_of(part, other, SEGMENT), None, "int32").max()
            read_flo(folder, name(way), segment.shape)
            found = checks.record(folder, name(matches))
            allowed = [[n] for n in range(-1, most + 1)]
            if list(found) != numbers or not all(match in allowed for match in found.values()):
                yield f"{name(matches)} does not give each segment one of 0 to {most}, or -1"
    if k + 1 < count:
        flow = read_flo(folder, name(FORWARD), segment.shape)
        matched, paper = (checks.array(folder, name(place), segment.shape, "uint8") for place in (MATCHED, PAPER))
        if max(matched.max(), paper.max()) > 1 or segment[paper == 0].any():
            yield f"{name(MATCHED)} or {name(PAPER)} is not 0 and 1, or the lines are no segment 0"
        row, column = np.nonzero(matched)
        there = np.floor(np.stack([column, row], axis=1) + 0.5 + flow[row, column])
        if ((there < 0) | (there >= segment.shape[::-1])).any():
            yield f"{name(FORWARD)} carries points out of the picture that {name(MATCHED)} says are in it"


def npy(array: NDArray[Any]) -> bytes:
    """Encode an array as `.npy`."""
    np.save(stream := io.BytesIO(), array, allow_pickle=False)
    return stream.getvalue()


def flo(flow: NDArray[np.float32]) -> bytes:
    """Encode a flow (H, W, 2), in pixels right and down, as `.flo`."""
    return _flo_header(flow.shape[:2]) + flow.astype("<f4").tobytes()


def _flo_header(shape: tuple[int, ...]) -> bytes:
    return np.array(202021.25, "<f4").tobytes() + np.array(shape[::-1], "<i4").tobytes()


def read_flo(folder: Path, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Read the flow (H, W, 2) of a `.flo`; raises ValueError if it is damaged, not finite or of another size."""
    data = (folder / name).read_bytes()
    start = _flo_header(shape)
    if data[: len(start)] != start or len(data) != len(start) + 8 * shape[0] * shape[1]:
        raise ValueError(f"{name} is no flow of {shape[1]} x {shape[0]} pixels")
    flow = np.frombuffer(data, "<f4", offset=len(start)).reshape(*shape, 2)
    if not np.isfinite(flow).all():
        raise ValueError(f"{name} has flow that is no finite number")
    return flow


_LOAD = """\
`train/` (as `validation/` and `test/`) has `Frame_Anime/CLIP/original/0001.png`, frames with lines on white; \
`contour/`, the lines alone; `Flow/CLIP/forward/0001.flo` to the next frame and `backward/0002.flo` to the last one; \
`UnmatchedForward/`, which as their loaders have it is 1 where a point is seen in the next frame and 0 where not; \
`LineArea/`, 0 on lines; `Segment/`, 0 lines, 1 the background, then what lines enclose; and \
`SegMatching/CLIP/forward/0001.json` and `backward/0002.json`, of each segment its number in the other frame, or -1.

```python
# in a checkout of lisiyao21/AnimeRun, in its folder flow; FOLDER is where this card lies
from datasets.flow_datasets import AnimeRun

dataset = AnimeRun({"crop_size": (384, 512), "min_scale": -0.2, "max_scale": 0.6, "do_flip": True},
                   split="train", root="FOLDER", dstype="Frame_Anime")
print(len(dataset), [array.shape for array in dataset[0]])
```

The same in its folder `segmat`: `AnimeRunSegMat` of `datasets.anime_seg_mat_dataset`, with None for the first \
argument, and `dstype="contour"` for line art. To train, put FOLDER in the place of `root` in those \
files. Frames must be larger than the crop of flow's trainers, 384 x 512 where `--image_size` does not say otherwise.
"""
