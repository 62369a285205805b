"""DiffSynth-Studio's `UnifiedDataset`, as its training of Wan with a control builds it."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.loaders.reading import Read, expect

STUBS = ("modelscope",)
KEYS = ("video", "control_video", "reference_image")
FRAMES = 81


def read(folder: Path, checkout: Path) -> Iterator[Read]:
    """Every row of metadata.csv."""
    sys.path.insert(0, str(checkout))
    upstream = importlib.import_module("diffsynth.core").UnifiedDataset
    operator = upstream.default_video_operator(
        base_path=str(folder), max_pixels=1024 * 1024, height=None, width=None, num_frames=FRAMES
    )
    dataset = upstream(
        base_path=str(folder), metadata_path=str(folder / "metadata.csv"), data_file_keys=KEYS,
        main_data_operator=operator,
    )  # fmt: skip
    reader = importlib.import_module("imageio")
    for index in range(len(dataset)):
        row, item = dataset.data[index], dataset[index]
        video, control, still = (item[key] for key in KEYS)
        size, stored = video[0].size, reader.get_reader(folder / row["video"])
        whole = len(video) in (FRAMES, stored.count_frames()) and len(video) % 4 == 1
        name = row["video"]
        expect(whole, f"{name} has 4n + 1 frames, which are all read")
        is_whole = size == tuple(stored.get_meta_data()["size"])
        expect(is_whole, f"{name} has sides of 16, so that nothing is cropped")
        is_alike = len(control) == len(video) and control[0].size == size
        expect(is_alike, f"the control of {name} is as long and large")
        expect(len(still) == 1 and still[0].mode == "RGB", f"the reference of {name} is one picture")
        expect(isinstance(item["prompt"], str) and item["prompt"].strip(), f"{name} has a prompt")
    films = [np.stack([np.asarray(frame) for frame in film]) for film in (video, control)]
    checked = [
        "4n + 1 frames and sides of 16, of video and control alike",
        expect(np.abs(np.diff(films[0].astype(int), axis=0)).any(), "films move"),
        f"prompts such as “{item['prompt']}”",
    ]
    arrays = dict(zip(KEYS, [*films, np.asarray(still[0])], strict=True))
    yield Read("UnifiedDataset", len(dataset), arrays, checked)
