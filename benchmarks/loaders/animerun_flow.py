"""AnimeRun's `AnimeRun`: as its trainers build it, as it is, and with what only its test split has."""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from benchmarks.loaders.reading import Read, expect, expect_array, first_batch, load_file, splits

AUGMENTED = {"min_scale": -0.2, "max_scale": 0.6, "do_flip": True}
CROP = (384, 512)
READS = 24
PAIRS, STEP = 8, 64
TRAINED = ("image1", "image2", "flow", "valid")
TESTED = ("image1", "image2", "flow", "matched", "flat")


def read(folder: Path, checkout: Path) -> Iterator[Read]:
    """A batch of each split, and pairs warped by their flow; frames no larger than the default crop get a
    smaller."""
    sys.path.insert(0, str(checkout / "flow"))
    upstream = load_file(checkout / "flow/datasets/flow_datasets.py")
    for split in splits(folder, "Frame_Anime"):
        plain = upstream.AnimeRun(None, split=split.name, root=str(folder), dstype="Frame_Anime")
        batch = dict(zip(TESTED if split.name == "test" else TRAINED, first_batch(plain), strict=False))
        size = batch["image1"].shape[2:]
        expect_array(batch["image1"], (1, 3, -1, -1), "float32", 0, 255)
        expect_array(batch["flow"], (1, 2, *size), "float32", -999, 999)
        checked = [_aligned(plain), _warped(plain), *(_areas(batch) if split.name == "test" else [])]
        yield Read(f"AnimeRun ({split.name})", len(plain), batch, checked)
        if split.name == "train":
            sides = [min(side, (have - 1) // 8 * 8) for side, have in zip(CROP, size, strict=True)]
            augmented = {**AUGMENTED, "crop_size": sides}
            once = upstream.AnimeRun(augmented, split="train", root=str(folder), dstype="Frame_Anime")
            several = [*islice(DataLoader(READS * once, 2, shuffle=True), READS)]
            expect_array(several[0][0], (-1, 3, *sides), "float32", 0, 255)
            held = f"{len(several)} batches cropped to {sides[0]}×{sides[1]}"
            yield Read("AnimeRun, augmented", len(plain), dict(zip(TRAINED, several[0], strict=True)), [held])


def _aligned(dataset: Any) -> str:
    """Its lists are joined by their order alone."""
    lists = (dataset.flow_list, dataset.occ_list, dataset.line_list)
    firsts = [Path(pair[0]).stem for pair in dataset.image_list]
    held = all([Path(path).stem for path in files] == firsts for files in lists)
    return expect(held, f"the {len(firsts)} pairs, flows and masks have the same names in order")


def _warped(dataset: Any) -> str:
    """Count moving points whose pixel changes colour, and those that keep their colour along the flow."""
    found = [_kept(dataset, index) for index in range(min(len(dataset), PAIRS))]
    kept, changed = (sum(counts) for counts in zip(*found, strict=True))
    share = f"{kept / max(changed, 1):.1%} of {changed} points"
    return expect(kept >= 0.6 * changed, f"{share} keep their colour in motion")


def _kept(dataset: Any, index: int) -> tuple[int, int]:
    matched = np.load(dataset.occ_list[index]) == 1
    first, second, flow = (array.numpy() for array in dataset[index][:3])
    changed = np.abs(first - second).max(axis=0) >= STEP
    rows, columns = np.nonzero(matched & changed & (np.abs(flow).max(axis=0) > 0))
    there = np.rint(np.stack([rows, columns]) + flow[::-1, rows, columns]).astype(int)
    inside = ((there >= 0) & (there < np.array(first.shape[1:])[:, None])).all(axis=0)
    there = np.where(inside, there, 0)
    apart = np.abs(first[:, rows, columns] - second[:, there[0], there[1]]).max(axis=0)
    return int((inside & (apart < STEP)).sum()), len(rows)


def _areas(batch: dict[str, Any]) -> list[str]:
    light = batch["image1"][0].amax(dim=0).numpy()
    matched, flat = (batch[name][0].numpy() for name in ("matched", "flat"))
    is_flag = set(np.unique(matched)) <= {0, 1} and (matched == 1).mean() > 0.5
    return [
        expect(is_flag, "unmatched is 0, the rest 1"),
        expect(light[flat == 0].mean() < light[flat > 0].mean(), "LineArea is 0 where it is darker"),
    ]
