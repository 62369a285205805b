"""BasicPBC's datasets, built by basicsr's registry from its own option files with another root."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.loaders.reading import Read, expect, expect_array, splits

STUBS = ("open_clip", "torch_scatter", "torch_scatter.scatter")
CROP = 640


def read(folder: Path, checkout: Path) -> Iterator[Read]:
    """A batch of training as its options say, a pair as it is, and a pair of the test's layout."""
    sys.path.insert(0, str(checkout))
    upstream, utils = importlib.import_module("basicsr.data"), importlib.import_module("paint.utils")
    text = (checkout / "options/train/basicpbc_pbch_train_option.yml").read_text(encoding="utf-8")
    options = yaml.safe_load(text)["datasets"]
    for split in splits(folder, "PaintBucket_Char"):
        root = f"{split / 'PaintBucket_Char'}/"
        if split.name == "train":
            train = {**options["train"], "root": root, "phase": "train", "num_worker_per_gpu": 0}
            yield _augmented(upstream, train)
            plain = upstream.build_dataset({**train, "aug_params": None, "merge_label_prob": 0})
            yield _pair(plain, utils)
        else:
            dataset = upstream.build_dataset({**options["val"], "root": root})
            held = _lines(dataset[0], dataset, utils)
            yield Read(f"PaintBucketSegMat ({split.name})", len(dataset), dataset[0], [held])


def _augmented(upstream: Any, options: dict[str, Any]) -> Read:
    dataset = upstream.build_dataset(options)
    batch = next(iter(upstream.build_dataloader(dataset, options, num_gpu=0)))
    for name in ("line", "line_ref", "recolorized_img"):
        expect_array(batch[name], (1, 3, CROP, CROP), "float32", 0, 1)
    matches, count = batch["all_matches"], batch["segment"].max()
    checked = [
        expect(matches.shape == (1, count), "a match for each segment"),
        expect(matches.max() < batch["segment_ref"].max(), "matches are numbers of the frame before, or -1"),
    ]
    return Read("PaintBucketLabelSegDataset", len(dataset), batch, checked)


def _lines(item: dict[str, Any], dataset: Any, utils: Any) -> str:
    dark, number = item["line"].numpy().max(axis=0) < 0.5, item["segment"][0].numpy()
    held = set(np.unique(item["line"].numpy())) == {0, 1} and (dark == (number == 0)).all()
    gapless = set(np.unique(utils.read_seg_2_np(dataset.seg_list[0][0]))) == set(range(number.max() + 1))
    sentence = "line art is black on white, segments are 0 just there and 1, 2 … elsewhere"
    return expect(held and gapless, sentence)


def _pair(dataset: Any, utils: Any) -> Read:
    index = len(dataset) - 1
    item = dataset[index]
    now, before = (utils.read_seg_2_np(path) for path in dataset.label_list[index])
    number, of_label = item["segment"][0].numpy(), item["segment_ref"][0].numpy()
    agree, shares = True, []
    for segment, match in enumerate(item["all_matches"].numpy().astype(int), 1):
        labels, counts = np.unique(now[number == segment], return_counts=True)
        shares.append(counts.max() / counts.sum())
        label = labels[counts.argmax()]
        there = before[of_label == match + 1]
        agree &= np.unique(there).tolist() == [label] if match >= 0 else label not in before
    checked = [
        _lines(dataset[0], dataset, utils),
        expect(agree, f"the {len(shares)} segments' matches have their labels"),
        expect(min(shares) >= 0.98, "each segment holds one label for 98 % of its pixels"),
    ]
    return Read("PaintBucketLabelSegDataset, not augmented", len(dataset), item, checked)
