"""The published rows and tree as files, with shards that cut characters and ids that are no numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specsia_build import png
from specsia_build.config import BuildConfig, ClipSettings
from specsia_build.dataset import schema
from specsia_build.dataset.layers import frame_file
from specsia_build.errors import CharacterError, UsageError
from specsia_build.frame import view_yaws
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.part import Facts, Member, Part, Pictures, Written
from specsia_build.layouts.specsia_15k import Specsia15K, views_of
from specsia_build.layouts.specsia_15k_rows import Specsia15KRows
from specsia_build.rendering.positions import edge_image
from tests.dataset.small import read_rows
from tests.published.rules import problems
from tests.published.test_writing import drawn
from tests.rendering.scenes import sphere

YAWS = view_yaws(10)[:4]


def member(character: str, views: int) -> Member:
    return Member(character, character, "relief", views, character)


def stub(member: Member) -> Pictures:
    """Pictures of 8 pixels, with a dot in Y* at the number of the view."""
    files = {}
    for view in range(member.rows):
        gt = np.zeros((8, 8, 4), np.uint8)
        gt[0, view % 8] = 255
        files[frame_file(schema.GT, view)] = png.encode(gt)
        for layer in (schema.COLOR, schema.POS):
            files[frame_file(layer, view)] = png.encode(np.zeros((8, 8, 4), np.uint8))
    row = {"bbox_min": [0.0, 0.0, 0.0], "bbox_max": [1.0, 1.0, 1.0]}
    return Pictures({"yaws": view_yaws(10)[: member.rows], "rows": [row] * member.rows}, files)


def ball(member: Member) -> Pictures:
    """Four views of a ball, which is its own reconstruction."""
    views, positions, boxes = drawn(sphere(0.4), YAWS)
    files: dict[str, bytes] = {}
    for view, (layers, pos) in enumerate(zip(views, positions, strict=True)):
        pictures = {schema.COLOR: layers.color, schema.POS: pos, schema.GT: layers.color}
        files |= {frame_file(layer, view): png.encode(picture) for layer, picture in pictures.items()}
    rows = [{"bbox_min": list(low), "bbox_max": list(high)} for low, high in boxes]
    return Pictures({"yaws": YAWS, "rows": rows}, files)


def written(
    layout: Layout, members: Sequence[Member], splits: Mapping[str, str], out: Path, load: Any = stub
) -> list[Written]:
    """Write all parts of a layout into a folder; returns their records."""
    records = []
    for key, group, options in layout.group(members, splits):
        part = Part(key, splits[group[0].character], tuple(group), options, load)
        names = {path for path in out.rglob("*") if path.is_file()}
        (out / key).parent.mkdir(parents=True, exist_ok=True)
        facts = layout.write(part, out)
        files = {
            path.relative_to(out).as_posix(): (0, "")
            for path in sorted(out.rglob("*"))
            if path.is_file() and path not in names
        }
        ids = [member.id for member in group]
        records.append(Written(key, group[0].character, part.split, ids, None, None, files, facts))
    return records


def test_rows_are_cut_by_number_and_not_by_character(tmp_path: Path) -> None:
    ids = [f"{number}" for number in range(51, 0, -1)]
    splits = dict.fromkeys(ids, "train") | {"7": "validation", "zoe": "test", "gone": "test"}
    members = [member(i, 10) for i in (*ids, "zoe")]
    parts = written(Specsia15KRows(), members, splits, tmp_path)
    wanted = [f"data/{split}-00000-of-00001" for split in ("train", "validation", "test")]
    assert [part.key for part in parts] == wanted
    members.append(member("60", 5))
    splits["60"] = "train"
    parts = written(Specsia15KRows(), members, splits, tmp_path / "more")
    paths = [tmp_path / "more" / f"{part.key}.parquet" for part in parts if part.split == "train"]
    first, second = (read_rows(path) for path in paths)
    assert (len(first), len(second)) == (253, 252)
    numbers = [str(number) for number in range(1, 52) if number != 7]
    uids = [f"{number}_{view:02d}" for number in numbers for view in range(10)]
    assert [row["uid"] for row in (*first, *second)] == uids + [f"60_{view:02d}" for view in range(5)]
    for row in (*first, *second):
        dot = png.decode(row["mask"]["bytes"], 1)[0].argmax()
        assert dot == int(row["uid"][-2:]) % 8
        assert list(row) == ["uid", "color", "pos", "edge", "mask", "gt"]
        assert all(row[name]["path"] is None for name in list(row)[1:])
    (path,) = (tmp_path / "data").glob("test-*")
    # `gone` was not packed, and counts among the ids all the same.
    assert read_rows(path)[0]["uid"] == "90052_00"


def test_rows_follow_the_rules(tmp_path: Path) -> None:
    written(Specsia15KRows(), [member("3", len(YAWS))], {"3": "train"}, tmp_path, ball)
    for row in read_rows(tmp_path / "data" / "train-00000-of-00001.parquet"):
        uid, *names = row
        assert uid == "uid"
        assert list(problems({name: row[name]["bytes"] for name in names})) == []


def test_rows_and_their_lists_have_the_same_numbers(tmp_path: Path) -> None:
    splits = {"3": "train", "zoe": "test"}
    layout, members = Specsia15KRows(), [member(i, 2) for i in splits]
    parts = written(layout, members, splits, tmp_path)
    facts = Facts({"specsia": "0", "config": {}}, "stubs", 2, {}, splits, members)
    files = dict(layout.finish(tmp_path, lambda: iter(parts), facts))
    lists = json.loads(files[schema.SPLITS_FILE])
    assert (lists["train"], lists["validation"], lists["test"]) == (["3"], [], ["90001"])
    assert json.loads(files["ids.json"]) == {"3": "3", "90001": "zoe"}
    assert b"data/test-*" in files[schema.CARD] and b"data/validation-*" not in files[schema.CARD]


def test_positions_of_a_build_in_views_stay(tmp_path: Path) -> None:
    pos = np.full((8, 8, 4), 255, np.uint8)
    pos[..., :3] = (10, 20, 30)

    def load(member: Member) -> Pictures:
        pictures = stub(member)
        files = {**pictures.files, frame_file(schema.POS, 0): png.encode(pos)}
        files[frame_file(schema.EDGE, 0)] = png.encode(edge_image(pos))
        return replace(pictures, meta={**pictures.meta, "pos_frame": "view"}, files=files)

    written(Specsia15KRows(), [member("3", 1)], {"3": "train"}, tmp_path, load)
    (row,) = read_rows(tmp_path / "data" / "train-00000-of-00001.parquet")
    assert (png.decode(row["pos"]["bytes"], 3) == (10, 20, 30)).all()


def test_tree_has_its_lists_and_finds_faults(tmp_path: Path) -> None:
    layout, splits = Specsia15K(), {"ann": "test", "8": "train", "3": "train"}
    members = [member(i, len(YAWS)) for i in splits]
    parts = written(layout, members, splits, tmp_path, ball)
    for part in parts:
        assert layout.expected(part).keys() == part.files.keys()
        assert list(layout.check_part(tmp_path, part)) == []
    texts = dict(layout.whole(parts))
    assert json.loads(texts["ids.json"]) == {"3": "3", "8": "8", "90002": "ann"}
    assert json.loads(texts["splits/test_uids.json"]) == [f"90002_{view:02d}" for view in range(len(YAWS))]
    assert json.loads(texts["splits/split_chars.json"])["train"] == ["3", "8"]
    part = next(part for part in parts if part.key == "8")
    mask = tmp_path / "8_01" / "char" / "mask.png"
    levels = png.decode(mask.read_bytes(), 1)
    mask.write_bytes(png.encode(255 - levels))
    (problem,) = layout.check_part(tmp_path, part)
    assert problem.startswith("8_01/char/mask.png")
    mask.write_bytes(b"no picture")
    (problem,) = layout.check_part(tmp_path, part)
    assert problem.startswith("8_01/char/mask.png")
    for facts in ({"number": "../8", "frames": 4}, {"number": "8", "frames": 10**9}, {"frames": 4}):
        assert len(list(layout.check_part(tmp_path, replace(part, facts=facts)))) == 1


@pytest.mark.parametrize("layout", [Specsia15K(), Specsia15KRows()])
def test_clips_are_refused(layout: Layout) -> None:
    layout.check(BuildConfig())
    with pytest.raises(UsageError):
        layout.check(BuildConfig(clips=ClipSettings()))


@pytest.mark.parametrize("yaws", [view_yaws(6), view_yaws(12), (0.0, 72.0, 108.0), (36.0, 72.0)])
def test_other_sides_than_the_published_are_refused(yaws: Sequence[float]) -> None:
    pictures = stub(member("a", len(yaws)))
    pictures = replace(pictures, meta={**pictures.meta, "id": "a", "yaws": yaws})
    with pytest.raises(CharacterError, match=r"^a "):
        list(views_of(pictures))
    if len(yaws) > 4:
        with pytest.raises(UsageError):
            Specsia15K().check(BuildConfig(views=len(yaws)))
