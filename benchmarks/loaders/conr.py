"""CoNR's `FileDataset`, as its train.py builds it: a pose of each target, with all sheets of a character."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.loaders.reading import Read, WrongError, expect, expect_array, first_batch, splits

SIZE = 256
ARRAYS = ("pose_label", "pose_mask", "character_images", "character_masks")


def read(folder: Path, checkout: Path) -> Iterator[Read]:
    """One batch of the first character of each split."""
    sys.path.insert(0, str(checkout))
    upstream = importlib.import_module("data_loader")
    for split in splits(folder):
        characters = sorted(path for path in split.iterdir() if (path / "poses").is_dir())
        if not characters:
            raise WrongError(f"{split} has no character with poses/")
        sheet = sorted(map(str, (characters[0] / "character_sheet").iterdir()))
        poses = sorted(map(str, (characters[0] / "poses").iterdir()))
        crop = upstream.RandomResizedCropWithAutoCenteringAndZeroPadding(
            (SIZE, SIZE), scale=(1, 1), ratio=(1.0, 1.0), center_jitter=(0.0, 0.0)
        )
        dataset = upstream.FileDataset([[pose, *sheet] for pose in poses], crop, True, False)
        batch = first_batch(dataset)
        arrays = {name: batch[name] for name in ARRAYS}
        label, mask, images, masks = arrays.values()
        expect_array(label, (1, 4, SIZE, SIZE), "float32", 0, 1)
        expect_array(mask, (1, 1, SIZE, SIZE), "uint8", 0, 255)
        expect_array(images, (1, len(sheet), 3, SIZE, SIZE), "uint8", 0, 255)
        expect_array(masks, (1, len(sheet), 1, SIZE, SIZE), "uint8", 0, 255)
        xyz, inside = label[0, :3].numpy(), label[0, 3].numpy() > 0
        spread = np.ptp(xyz[:, inside], axis=1) if inside.any() else np.zeros(3)
        checked = [
            expect("pose_crop" in batch and inside.any(), "the pose is not taken for bad data"),
            expect(not xyz[:, ~inside].any(), "XYZ is 0 where occupancy is"),
            expect(spread.max() > 0.1, "XYZ varies over the figure"),
            expect(masks.float().mean() / 255 < 0.95, "sheets have transparent ground"),
            expect((masks.flatten(2).amax(2) > 0).all(), "no sheet is empty"),
        ]
        yield Read(f"FileDataset ({split.name})", len(dataset), arrays, checked)
