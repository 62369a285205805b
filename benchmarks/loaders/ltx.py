"""LTX-Video-Trainer's `MediaDataset` and `CaptionsDataset`: what it reads before the autoencoder."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.loaders.reading import Read, expect, expect_array


def read(folder: Path, checkout: Path) -> Iterator[Read]:
    """Every film, its control and its caption, by the columns of metadata.csv."""
    sys.path[:0] = [str(checkout / "src"), str(checkout)]
    videos = importlib.import_module("scripts.process_videos")
    captions = importlib.import_module("scripts.process_captions")
    table = folder / "metadata.csv"
    first = importlib.import_module("pandas").read_csv(table)["video"][0]
    film = importlib.import_module("decord").VideoReader(str(folder / first))
    height, width, _ = film[0].shape
    buckets = videos.parse_resolution_buckets(f"{width}x{height}x{len(film)}")
    sets = [
        videos.MediaDataset(table, main_media_column="video", video_column=column, resolution_buckets=buckets)
        for column in ("video", "control_video")
    ]
    texts = captions.CaptionsDataset(table, caption_column="prompt", media_column="video")
    complete = len(sets[0].main_media_paths) == len(sets[0]) == len(sets[1]) == len(texts)
    kept = f"all {len(sets[0])} films, controls and captions are kept"
    alike = expect(complete, f"{kept}, and their names differ")
    for index in range(len(sets[0])):
        pair = [dataset[index] for dataset in sets]
        for item in pair:
            expect_array(item["video"], (len(film), 3, height, width), "float32", -1, 1)
            expect(item["main_media_relative_path"] == pair[0]["relative_path"], "controls are their films'")
        text, name = texts[index], pair[0]["relative_path"]
        expect(isinstance(text["prompt"], str) and text["prompt"].strip(), f"{name} has a prompt")
        is_own = text["output_path"] == str(Path(name).with_suffix(".pt"))
        expect(is_own, f"the caption of {name} is its own")
    bucket = f"one bucket of {width}×{height}×{len(film)}: sides of 32, 8n + 1 frames"
    arrays = {"video": pair[0]["video"], "control_video": pair[1]["video"]}
    yield Read("MediaDataset, CaptionsDataset", len(sets[0]), arrays, [alike, bucket])
