"""AniDoc's `SakugaRefDataset`, and its readers of films of line art and of tracks."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.loaders.reading import Read, expect, expect_array, load_file, splits

STUBS = ("pcache_fileio", "pcache_fileio.fileio", "pcache_fileio.oss_conf", "moviepy", "moviepy.editor")
FRAMES, JUMP = 25, 36
SIZE = (320, 512)
INFERENCE = 14
LINE = 200
NEAR = 48  # Levels by which colours may differ after their encoding at half the resolution
MOST_OTHERS = 0.02


def read(folder: Path, checkout: Path) -> Iterator[Read]:
    """Every clip's sample of each split, and what stands beside it."""
    upstream = load_file(checkout / "datasets/sakuga_ref_datasets.py")
    utils = load_file(checkout / "utils.py")
    for split in splits(folder, "color"):
        dataset = upstream.SakugaRefDataset(
            FRAMES, JUMP, str(split / "color"), temporal_sample=_window, transform=_normalised
        )
        for index in range(len(dataset)):
            pixels = dataset.get_sample(index)["pixel_values"]
            expect_array(pixels, (FRAMES + 1, 3, *SIZE), "float32", -1, 1)
        names = sorted(Path(path).stem for path in dataset.video_lists)
        lines = [_line_art(split, name, utils) for name in names]
        checked = [
            f"all {len(names)} clips are long enough",
            expect(max(lines) < MOST_OTHERS, f"line art and 14 control frames; others {max(lines):.2%}"),
            *(["tracks are inside, drawn by its own painter"] if (split / "tracks").is_dir() else []),
            "its temporal crop and transform were not released: stand-ins",
        ]
        yield Read(f"SakugaRefDataset ({split.name})", len(dataset), {"pixel_values": pixels}, checked)


def _window(frames: int) -> tuple[int, int]:
    """A random crop in time, as the class asks of it; the project has not released its own."""
    start = random.randint(0, max(0, frames - FRAMES - JUMP))  # noqa: S311
    return start, min(start + FRAMES + JUMP, frames)


def _normalised(film: torch.Tensor) -> torch.Tensor:
    return film.float() / 127.5 - 1


def _line_art(split: Path, name: str, utils: Any) -> float:
    """Largest share of a film's pixels that are neither ground nor line."""
    still = Image.open(split / "reference" / f"{name}.png")
    expect(still.size == SIZE[::-1] and still.mode == "RGB", f"reference/{name}.png is RGB of 512×320")
    paths = [str(split / kind / f"{name}.mp4") for kind in ("control", "line", "color")]
    *films, color = (np.stack(utils.extract_frames_from_video(path)) for path in paths)
    expect(len(films[0]) == INFERENCE, f"control/{name}.mp4 has {INFERENCE} frames")
    expect(len(films[1]) == len(color), f"line/{name}.mp4 has as many frames as color/{name}.mp4")
    for film in films:
        is_on_white = film.shape[1:3] == SIZE and (film > LINE).mean() > 0.5
        expect(is_on_white, f"{name}'s line art is on white, of 512×320")
    path = split / "tracks" / f"{name}.npz"
    if path.exists():
        with np.load(path) as tracks:
            visible, reference = tracks["visible"], tracks["reference"]
            expect(visible.shape == (len(color), len(reference)), f"{name}'s tracks are of all frames")
            drawn = utils.generate_point_map_frames((3, *SIZE), reference, tracks["points"], visible)
        expect(all((layer > 0).any() for layer in drawn), f"{name}'s tracks are inside")
    return max(map(_others, films))


def _others(film: np.ndarray) -> float:
    """Share of pixels farther than `NEAR` from the ground's and the line's colour, the two commonest."""
    colours, counts = np.unique(film @ np.array([65536, 256, 1]), return_counts=True)
    packed = colours[np.argsort(counts)[-2:]]
    both = packed[:, None] >> np.array([16, 8, 0]) & 255
    off = [np.abs(film.astype(int) - colour).max(axis=-1) for colour in both]
    return float((np.minimum(*off) > NEAR).mean())
