"""AnimeInbet's datasets in train mode: of vertices that correspond, and of the frames between."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import minimum_filter

from benchmarks.loaders.reading import Read, expect, expect_array, first_batch, load_file, splits

GAP, MOST = 5, 3050


def read(folder: Path, checkout: Path) -> Iterator[Read]:
    """One batch of each split, with the gap of the project's configurations."""
    sys.path.insert(0, str(checkout))
    vertices = load_file(checkout / "corr/datasets/ml_dataset.py")
    frames = load_file(checkout / "datasets/ml_seq.py")
    for split in splits(folder, "frames"):
        settings = {"root": str(folder), "gap": GAP, "split": split.name, "mode": "train"}
        dataset = vertices.MixamoLineArt(**settings)
        counts = [len(list(clip.glob("*.png"))) for clip in (split / "frames").iterdir() if clip.is_dir()]
        pairs = sum(max(0, count - GAP - 1) for count in counts)
        expect(len(dataset) == pairs, f"no clip of {split.name} is skipped")
        batch = first_batch(dataset)
        expect_array(batch["keypoints0"], (1, MOST, 2), str(batch["keypoints1"].dtype)[6:], 0, 719)
        expect_array(batch["image0"], (1, 3, -1, -1), "float32", -1, 1)
        expect_array(batch["m01"], (1, MOST), "float32", -1, MOST - 1)
        expect_array(batch["adj_mat0"], (1, int(batch["ms"]), 64), "float64", 0, np.inf)
        yield Read(f"MixamoLineArt ({split.name})", len(dataset), batch, _checked(dataset, batch, vertices))
        dataset = frames.MixamoLineArtMotionSequence(**settings)
        batch = first_batch(dataset)
        arrays = {name: batch[name] for name in ("keypoints0", "motion0", "visibility0", "imaget")}
        sentence = "vertices moved half-way lie on lines of the frame between"
        held = expect(batch["visibility0"].max() > 0, sentence)
        yield Read(f"MixamoLineArtMotionSequence ({split.name})", len(dataset), arrays, [held])


def _checked(dataset: Any, batch: dict[str, Any], upstream: Any) -> list[str]:
    (_, topology, here), (_, _, there) = (upstream.read_json(path) for path in dataset.label_list[0])
    match = batch["m01"][0].numpy().astype(int)[: len(here)]
    known = {number: k for k, number in enumerate(there)}
    points = batch["keypoints0"][0].numpy()[: len(here)].astype(int)
    dark = minimum_filter(batch["image0"][0, 0].numpy(), 3)[points[:, 1], points[:, 0]] < 0.9
    both = all(one in topology[two] for one, near in enumerate(topology) for two in near)
    share = (match >= 0).mean()
    expected = [known.get(number, -1) for number in here]
    return [
        expect(match.tolist() == expected, "matches are equal original indices"),
        expect(share > 0, f"{share:.0%} of vertices matched over {GAP + 1} frames"),
        expect(dark.mean() >= 0.95, f"{dark.mean():.1%} of vertices lie on dark pixels"),
        expect(both, "connections are mutual"),
    ]
