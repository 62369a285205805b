"""Line art is coloured by overlap and by a matcher that learns, from folders as the recipe writes them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from benchmarks.segment_frames import OVERLAPS, Frame, by_most, read_clips
from benchmarks.segment_matcher import main
from benchmarks.segment_network import Matcher, by_paint, train
from specsia_build.errors import UsageError

SIZE = 32
RED, BLUE = (200, 30, 30, 255), (20, 40, 220, 255)
COLORS = np.array([(0, 0, 0, 255), (0, 0, 0, 0), RED, BLUE], np.uint8)


def boxes(right: int, top: int = 8) -> NDArray[np.uint16]:
    """Two boxes side by side with lines around them, so far from the left: 2 and 3 in the order of pixels."""
    seg = np.ones((SIZE, SIZE), np.uint16)
    seg[top : top + 10, right : right + 15] = 0
    seg[top + 1 : top + 9, right + 1 : right + 7] = 2
    seg[top + 1 : top + 9, right + 8 : right + 14] = 3
    return seg


def write_folder(folder: Path) -> Path:
    """A `paintbucket` folder whose boxes go to the right by a pixel a frame, one character in each split."""
    parts = []
    for split in ("train", "validation", "test"):
        top = folder / split / "PaintBucket_Char" / f"boxes_{split}"
        records = top / ("json_color" if split == "train" else "seg")
        for number in range(6):
            for place in (top / "seg", records):
                place.mkdir(parents=True, exist_ok=True)
            seg = boxes(number + 1)
            Image.fromarray(np.stack([seg >> 8, seg >> 8, seg], -1).astype(np.uint8)).save(
                top / f"seg/{number:05d}.png"
            )
            colors = {str(k): COLORS[k].tolist() for k in range(1, 4)}
            (records / f"{number:05d}.json").write_text(json.dumps(colors))
        facts = {"frames": 6, "left_out": 0, "sheets": 0, "numbers": {f"boxes_{split}-walk-00": [0, 6]}}
        parts.append({"character": f"boxes_{split}", "split": split, "facts": facts})
    (folder / "parts.jsonl").write_text("\n".join(map(json.dumps, parts)) + "\n")
    return folder


def test_overlap_colours_what_stays_and_errs_on_what_moves_far() -> None:
    reference = Frame(boxes(4), COLORS)
    for rule in OVERLAPS:
        near, far = Frame(boxes(6), COLORS), Frame(boxes(12), COLORS)
        assert (rule.paint(near, reference) == near.paint)[2:].all()
        assert list(rule.paint(far, reference) == far.paint)[2:] == [False, True]


def test_what_overlaps_nothing_takes_the_colour_of_the_nearest() -> None:
    reference, below = Frame(boxes(4, 2), COLORS), Frame(boxes(4, 20), COLORS)
    for rule in OVERLAPS:
        assert (rule.paint(below, reference) == below.paint)[2:].all()


def test_most_segments_have_the_most_frequent_colour() -> None:
    frame = Frame(boxes(4), COLORS[[0, 1, 3, 3]])
    assert (by_most(Frame(boxes(5), COLORS), frame) == frame.paint[2]).all()


def test_clips_are_read_apart_with_the_colours_of_their_split(tmp_path: Path) -> None:
    clips = list(read_clips(write_folder(tmp_path), ["train", "test"]))
    assert [(clip.character, len(clip.frames)) for clip in clips] == [("boxes_train", 6), ("boxes_test", 6)]
    assert len(list(clips[0].pairs(4))) == 2
    for clip in clips:
        np.testing.assert_array_equal(clip.frames[2].seg, boxes(3))
        np.testing.assert_array_equal(clip.frames[2].colors, COLORS)


def test_a_folder_of_something_else_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no parts\.jsonl"):
        list(read_clips(tmp_path, ["train"]))


def test_clips_of_one_frame_teach_nothing(tmp_path: Path) -> None:
    (clip,) = read_clips(write_folder(tmp_path), ["train"])
    still = replace(clip, frames=clip.frames[:1])
    with pytest.raises(UsageError, match="two frames"):
        train([still], 1, print)
    train([still, clip], 1, print)


def test_the_matcher_sees_no_colours_of_what_it_is_to_colour() -> None:
    reference, model = Frame(boxes(4), COLORS), Matcher()
    told, untold = Frame(boxes(6), COLORS), Frame(boxes(6), COLORS[[0, 1, 3, 2]])
    found = [by_paint(model([(frame, reference)])[0].detach(), frame, reference)[0] for frame in (told, untold)]
    np.testing.assert_array_equal(found[0], found[1])


def test_scores_are_the_same_each_time(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "paintbucket")
    shown = tmp_path / "shown.png"
    command = ["score", str(folder), "--steps", "2", "--picture", str(shown)]
    tables = []
    for _ in range(2):
        result = CliRunner().invoke(main, command, catch_exceptions=False)
        assert "1 apart: 5 pairs, 10 segments, 0 moved away, 0 of a new colour" in result.output
        tables.append(re.findall(r"^\|.*", result.output, re.MULTILINE))
    assert tables[0] == tables[1]
    assert tables[0][-1].startswith("| boxes_test | ")
    overlap = next(row for row in tables[0] if "else the nearest" in row)
    assert overlap.split("|")[2].strip() == "1.000"
    assert Image.open(shown).size == (5 * SIZE, SIZE)
