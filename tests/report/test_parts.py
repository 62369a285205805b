"""What the page chooses, computes and draws, on made-up facts."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from specsia_build.dataset.images import overlay_image
from specsia_build.report import charts
from specsia_build.report.analyse import FAR, OTHER, outliers, slowest, stage_times, summed_parts, work_colours
from specsia_build.report.choose import MOST_TILES, by_quality, plan_sheets, shown_of, spread_ranks, spread_views
from specsia_build.report.facts import BuiltCharacter, Result, TaskTime
from specsia_build.report.markup import Html, fixed, join, plural, table, tag, text
from specsia_build.report.pictures import thumbnail


def made(character_id: str, mean: float | None, **registration: float) -> BuiltCharacter:
    moved = {"scale": 1.0, "pitch": 0.0, "yaw": 0.0, "x": 0.0, "y": 0.0, "z": 0.0, **registration}
    results = {} if mean is None else {"inflate": Result((mean, mean), mean, mean, moved)}
    return BuiltCharacter(character_id, "train", 2, 80, None, None, 1.0, (), results)


@pytest.mark.parametrize(("count", "limit"), [(1, 3), (3, 3), (100, 7), (1298, 11), (12, 11), (8, 1), (9, 2)])
def test_spread_ranks_are_distinct_and_reach_both_ends(count: int, limit: int) -> None:
    ranks = spread_ranks(count, limit)
    assert ranks == sorted(set(ranks))
    assert len(ranks) == min(count, limit)
    assert ranks[0] == 0
    assert limit == 1 or ranks[-1] == count - 1


@pytest.mark.parametrize(
    ("views", "shown", "expected"),
    [
        (10, 10, tuple(range(10))),
        (10, 3, (0, 2, 5)),
        (8, 3, (0, 2, 4)),
        (10, 5, (0, 2, 4, 6, 8)),
        (1, 3, (0,)),
        (36, 1, (0,)),
    ],
)
def test_spread_views_begin_in_front(views: int, shown: int, expected: tuple[int, ...]) -> None:
    assert spread_views(views, shown) == expected


@pytest.mark.parametrize("backends", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 24, 1298, 100_000])
def test_sheets_stay_within_their_room(count: int, backends: int) -> None:
    plan = plan_sheets({"train": count, "validation": min(count, 100), "test": min(count, 100)}, backends, 10)
    shown = 2 * min(plan.per_split, count, 100) + min(plan.per_split, count)
    assert shown * len(plan.views) * (4 * backends + 1) <= MOST_TILES
    assert plan.views[0] == 0


def test_few_characters_are_shown_from_every_view() -> None:
    assert plan_sheets({"train": 1, "validation": 1, "test": 1}, 1, 10).views == tuple(range(10))
    assert len(plan_sheets({"train": 1298, "validation": 100, "test": 100}, 1, 10).views) == 3


def test_samples_name_the_worst_the_median_and_the_best() -> None:
    characters = [made(str(k), 0.5 + k / 1000) for k in range(99)] + [made("none", None)]
    shown = shown_of(list(reversed(characters)), 11)
    marks = {mark: found.id for found, mark in shown if mark}
    assert marks["worst"] == "0"
    assert shown[-1][0].id == "none"
    assert [found.id for found, _ in shown_of(characters[:99], 3)] == ["0", "49", "98"]
    assert [mark for _, mark in shown_of(characters[:99], 3)] == ["worst", "median", "best"]
    assert [mark for _, mark in shown_of([made("a", 0.5), made("b", 0.6)], 3)] == ["", ""]
    assert [m.id for m in by_quality([made("b", 0.5), made("10", 0.5), made("9", 0.5)])] == ["9", "10", "b"]


def test_an_outlier_is_found_and_the_others_are_not() -> None:
    characters = [made(str(k), 0.9, scale=1 + k * 1e-4) for k in range(20)] + [made("odd", 0.6, pitch=25.0)]
    ranked = outliers(characters, "inflate")
    assert ranked[0].made.id == "odd"
    assert ranked[0].distance["pitch"] == 25.0
    assert ranked[1].furthest < FAR
    assert outliers([], "inflate") == []


def task(character_id: str, stage: str, seconds: float, **parts: float) -> TaskTime:
    return TaskTime(stage, None if stage == "render" else "inflate", character_id, seconds, parts, 100.0, False)


def test_times_add_up() -> None:
    times = [task("a", "render", 2.0, read=1.5), task("b", "render", 1.0, read=0.5), task("b", "project", 4.0, fit=4.5)]
    render, project = stage_times(times)
    assert (render.tasks, render.total, render.middle, render.longest) == (2, 3.0, 1.5, 2.0)
    assert render.parts == {"read": 2.0, OTHER: 1.0}
    assert project.parts[OTHER] == 0.0
    assert [i for i, _ in slowest(times, 5)] == ["b", "a"]
    assert work_colours(times) == {"fit": 0, "read": 1}
    assert summed_parts([]) == {OTHER: 0.0}


def test_markup_escapes_all_but_markup() -> None:
    assert (
        tag("p", "<&>", Html("<b>x</b>"), cls='"q"', title=None) == '<p class="&quot;q&quot;">&lt;&amp;&gt;<b>x</b></p>'
    )
    assert join(["<", Html("<br>")]) == "&lt;<br>"
    assert text(3) == "3"
    assert '<td class="num">1</td>' in table(("a", "b"), [("<", 1)], numbers=(1,))
    assert fixed(None) == "–"
    assert fixed(-0.0001) == "0.000"
    assert (plural(1, "row"), plural(2, "row")) == ("1 row", "2 rows")


@pytest.mark.parametrize("values", [[1.0], [0.0], [0.0, 1.0], [0.91, 0.99, 0.95] * 400, [0.8, 0.9]])
def test_histogram_counts_every_value_inside_the_frame(values: Sequence[float]) -> None:
    svg = charts.iou_histogram(values, charts.histogram_low({"inflate": values}), 0, "inflate")
    counts = [int(n.replace(",", "")) for n in re.findall(r"<title>[\d.]+ to [\d.]+: ([\d,]+)</title>", svg)]
    assert sum(counts) == len(values)
    for x, width in re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', svg):
        assert charts.LEFT <= float(x) <= float(x) + float(width) <= charts.WIDTH


@pytest.mark.parametrize("rows", [[[1.0]], [[0.9, 0.5, 0.7]], [[0.99, 0.2, 0.8, 0.4]] * 6])
def test_charts_by_angle_and_of_frontal_iou_stay_inside_the_frame(rows: list[list[float]]) -> None:
    views = len(rows[0])
    angle = charts.iou_by_angle({"a<b": rows}, [360 * k / views for k in range(views)])
    frontal = charts.before_after({"a<b": [(r[0], r[-1], "<id>") for r in rows]}, 0.02)
    for svg in (angle, frontal):
        assert "a<b" not in svg
        assert "<id>" not in svg
        for x, y in re.findall(r'cx="([\d.-]+)" cy="([\d.-]+)"', svg):
            assert 0 <= float(x) <= charts.WIDTH
            assert 0 <= float(y) <= charts.HEIGHT - charts.BOTTOM


def decoded(uri: str) -> Image.Image:
    head, _, data = uri.partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(b64decode(data)))


def test_thumbnails_shrink_and_never_grow_and_keep_transparency() -> None:
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[16:48, 16:48] = (200, 40, 40, 255)
    uri, side = thumbnail(Image.fromarray(pixels), 32)
    small = np.asarray(decoded(uri).convert("RGBA"))
    assert side == 32
    assert small.shape == (32, 32, 4)
    assert small[0, 0, 3] == 0
    assert small[16, 16, 3] == 255
    assert np.abs(small[16, 16, :3].astype(int) - (200, 40, 40)).max() < 12
    assert thumbnail(Image.fromarray(pixels), 320)[1] == 64


def test_the_overlay_tells_missing_from_extra() -> None:
    ours = np.array([[255, 255], [0, 0]], np.uint8)
    theirs = np.array([[255, 0], [255, 0]], np.uint8)
    shown = overlay_image(ours, theirs)
    both, extra, missing, neither = shown[0, 0], shown[0, 1], shown[1, 0], shown[1, 1]
    assert (neither == 255).all()
    assert len(set(map(int, both))) <= 3
    assert missing[2] > missing[0]
    assert extra[0] > extra[2]
    assert int(both.max()) - int(both.min()) < 20
