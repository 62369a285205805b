"""What the page chooses, computes and draws, on made-up facts."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from specsia_build.dataset.images import overlay_image
from specsia_build.errors import plural
from specsia_build.gallery.facts import TaskTime
from specsia_build.report import charts
from specsia_build.report.analyse import OTHER, slowest, stage_times, summed_parts, work_colours
from specsia_build.report.markup import Html, fixed, join, table, tag, text


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
    svg = charts.iou_histogram(values, charts.low_end(values), 0, "inflate")
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
