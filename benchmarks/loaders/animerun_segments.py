"""AnimeRun's `AnimeRunSegMat`, on frames and on line art."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.loaders.reading import Read, expect, expect_array, first_batch, splits


def read(folder: Path, checkout: Path) -> Iterator[Read]:
    """One batch of each split and kind of picture, and the names of all."""
    sys.path.insert(0, str(checkout / "segmat"))
    upstream = importlib.import_module("datasets.anime_seg_mat_dataset")
    for split in splits(folder, "Frame_Anime"):
        for kind in ("Frame_Anime", "contour"):
            dataset = upstream.AnimeRunSegMat(None, split=split.name, root=str(folder), dstype=kind)
            batch = first_batch(dataset)
            expect_array(batch["image0"], (1, 3, -1, -1), "float32", -1, 1)
            first, second = (int(batch[name].max()) + 1 for name in ("segment0", "segment1"))
            expect_array(batch["all_matches"], (1, first), "float32", -1, second - 1)
            expect_array(batch["keypoints0"], (1, first, 4), "int64", 0, max(batch["image0"].shape))
            names = ("image0", "segment0", "segment1", "keypoints0", "all_matches")
            checked = [_aligned(dataset), f"segments are 0…{first - 1} and 0…{second - 1}, without gaps"]
            checked += [_alike(batch)] if kind == "Frame_Anime" else [_on_lines(batch)]
            arrays = {name: batch[name] for name in names}
            yield Read(f"AnimeRunSegMat ({split.name}, {kind})", len(dataset), arrays, checked)


def _aligned(dataset: Any) -> str:
    names = [[Path(path).stem for path in pair] for pair in dataset.image_list]
    segments = [[Path(path).stem for path in pair] for pair in dataset.seg_list]
    matches = [Path(path).stem for path in dataset.index_list]
    held = names == segments and matches == [first for first, _ in names]
    return expect(held, f"the {len(names)} pairs, segments and matches have the same names in order")


def _on_lines(batch: dict[str, Any]) -> str:
    light, number = batch["image0"][0].amax(dim=0).numpy(), batch["segment0"][0, 0].numpy()
    held = (number == 0).any() and light[number == 0].mean() < 0 and light[number > 0].mean() > 0.8
    return expect(held, "segment 0 is the lines")


def _alike(batch: dict[str, Any]) -> str:
    """The share of the matched area whose segment has the colour of the segment that it is matched with."""
    same = area = 0
    frames = [batch[name][0].numpy() for name in ("image0", "image1")]
    numbers = [batch[name][0, 0].numpy() for name in ("segment0", "segment1")]
    for segment, match in enumerate(batch["all_matches"][0].numpy().astype(int)):
        if segment and match >= 0:
            here, there = (
                np.median(frame[:, number == which], axis=1)
                for frame, number, which in zip(frames, numbers, (segment, match), strict=True)
            )
            count = int((numbers[0] == segment).sum())
            area += count
            same += count * bool(np.abs(here - there).max() < 0.4)
    share = f"{same / max(area, 1):.1%} of the area"
    return expect(same >= 0.9 * area, f"{share} is matched with the same colour")
