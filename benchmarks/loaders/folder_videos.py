"""Text-To-Video-Finetuning's `VideoFolderDataset`, with its defaults: 16 frames of 256² at 8 a second."""

import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.loaders.reading import Read, expect, expect_array, first_batch, splits

SIZE, FRAMES, FPS = 256, 16, 8
BATCH = 2


class Words:
    """Stands for CLIP's tokenizer, whose words would come from a hub."""

    model_max_length = 77

    def __call__(self, prompt: str, **_: Any) -> SimpleNamespace:
        ids = torch.zeros(1, self.model_max_length, dtype=torch.long)
        ids[0, : len(prompt.split())] = 1
        return SimpleNamespace(input_ids=ids)


def read(folder: Path, checkout: Path) -> Iterator[Read]:
    """One batch of each split, with and without buckets of sizes."""
    sys.path.insert(0, str(checkout))
    upstream = importlib.import_module("utils.dataset")
    for split in splits(folder):
        for buckets in (False, True):
            dataset = upstream.VideoFolderDataset(
                tokenizer=Words(), width=SIZE, height=SIZE, n_sample_frames=FRAMES, fps=FPS, path=str(split),
                use_bucketing=buckets,
            )  # fmt: skip
            batch = first_batch(dataset, BATCH)
            expect_array(batch["pixel_values"], (-1, FRAMES, 3, SIZE, SIZE), "float32", -1, 1)
            arrays = {"pixel_values": batch["pixel_values"]}
            how = "with buckets" if buckets else "plain"
            checked = [*_checked(batch), _starts(split), "a stand-in for the tokenizer"]
            yield Read(f"VideoFolderDataset ({split.name}, {how})", len(dataset), arrays, checked)


def _checked(batch: Mapping[str, Any]) -> list[str]:
    pixels, prompts = batch["pixel_values"].numpy(), batch["text_prompt"]
    moved = np.abs(np.diff(pixels, axis=1)).mean(axis=(1, 2, 3, 4))
    return [
        expect((pixels > 0.5).mean() > 0.7 and (pixels < 0).any(), "dark strokes on white"),
        expect(np.ptp(pixels, axis=2).mean() < 0.02, "strokes are grey"),
        expect((moved > 0).all(), "every film moves"),
        expect(all(text.strip() == text and text for text in prompts), f"captions such as “{prompts[0]}”"),
    ]


def _starts(split: Path) -> str:
    """The still beside each film is its first frame."""
    decord = importlib.import_module("decord")
    for film in sorted(split.glob("*.mp4")):
        frame = decord.VideoReader(str(film))[0].numpy().astype(int)
        still = np.asarray(Image.open(film.with_suffix(".png")).convert("RGB")).astype(int)
        is_first = still.shape == frame.shape and np.abs(still - frame).mean() < 4
        expect(is_first, f"{film.stem}.png is its first frame")
    return "every .png is the first frame"
