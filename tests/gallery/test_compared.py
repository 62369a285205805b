"""Two galleries as one: what changed, by how much, and what is not compared."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from specsia_build.errors import UsageError
from specsia_build.gallery import compared as comparing
from specsia_build.gallery.compared import CHANGE, DIFFERENCE, labels
from specsia_build.gallery.items import TARGET, Gallery, Item, Lost
from tests.gallery.made import L1, gallery, item


def compared(one: Gallery, two: Gallery) -> Gallery:
    """Both as one."""
    return comparing.compared(one, two).gallery


def changes(found: Gallery) -> dict[str, float | None]:
    return {each.id: each.numbers.get(CHANGE) for each in found.items}


def only(found: Gallery) -> Item:
    (each,) = found.items
    return each


@pytest.mark.parametrize(
    ("one", "two", "named"),
    [
        ("runs/old/dataset", "runs/new/dataset/", ("old", "new")),
        ("a/x", "b/y", ("x", "y")),
        ("mine", "archive/mine", ("mine", "archive/mine")),
        ("me/set@v1", "me/set@v2", ("set@v1", "set@v2")),
        ("s3://one/deep/set", "s3://two/deep/set", ("one", "two")),
        ("same", "./same", ("same", "./same")),
        ("same", "same", ("A", "B")),
    ],
)
def test_labels_are_the_shortest_parts_that_tell_apart(one: str, two: str, named: tuple[str, str]) -> None:
    assert labels(one, two) == named


def test_one_folder_by_two_names_is_one(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert labels(str(tmp_path / "run"), f"{tmp_path}/./run/") == ("A", "B")


def test_the_largest_change_of_any_view_and_maker_is_the_number_to_sort_by() -> None:
    one = gallery(
        "old",
        item("a", {"inflate": [0.9, 0.8], "fusion": [0.7, 0.7]}),
        item("b", {"inflate": [0.9, 0.9], "fusion": [0.5, None]}),
        item("c", {"inflate": [None, None], "fusion": [None, None]}),
    )
    two = gallery(
        "new",
        item("a", {"inflate": [0.9, 0.5], "fusion": [0.8, 0.7]}),
        item("b", {"inflate": [0.9, 0.9], "fusion": [0.75, 0.1]}),
        item("c", {"inflate": [0.1, 0.1], "fusion": [0.1, 0.1]}),
    )
    found = compared(one, two)
    assert changes(found) == {"a": pytest.approx(0.3), "b": pytest.approx(0.25), "c": None}
    assert [each.numbers.get(DIFFERENCE, 0) for each in found.items] == pytest.approx([-0.3, 0.25, 0])
    assert found.kind == "comparison" and found.title == "old and new"
    every = (TARGET, "old: inflate", "old: fusion", "new: inflate", "new: fusion")
    assert found.sides == tuple(found.items[0].sides) == every
    assert found.items[0].sides["new: inflate"].values["iou"] == (0.9, 0.5)


def test_each_side_shows_its_own_pictures() -> None:
    one, two = gallery("old", item("a", {"inflate": [1, 1]})), gallery("new", item("a", {"inflate": [1, 1]}), tint=9)
    found = compared(one, two)
    reader = pickle.loads(pickle.dumps(found.reader))
    assert reader.read("a", "old: inflate", "color", [1]) == one.reader.read("a", "inflate", "color", [1])
    assert reader.read("a", "new: inflate", "color", [1]) == two.reader.read("a", "inflate", "color", [1])
    assert reader.read("a", "new: inflate", "color", [1]) != reader.read("a", "old: inflate", "color", [1])


def test_the_same_target_is_shown_once_and_another_twice() -> None:
    one = gallery("old", item("a", {"inflate": [1, 1]}))
    assert list(only(compared(one, gallery("new", *one.items))).sides) == [TARGET, "old: inflate", "new: inflate"]
    two = gallery("new", *one.items, tint=1)
    found = compared(one, two)
    assert list(only(found).sides) == ["old: Y*", "old: inflate", "new: Y*", "new: inflate"]
    assert found.reader.read("a", "old: Y*", "gt", [0]) == one.reader.read("a", TARGET, "gt", [0])
    assert found.reader.read("a", "new: Y*", "gt", [0]) == two.reader.read("a", TARGET, "gt", [0])
    assert any("Y* differs in 1 of 1 that" in said and "unfairly" in said for said in found.missing)


def test_each_target_stands_before_what_is_measured_against_it() -> None:
    same, other = item("a", {"inflate": [1, 1]}), item("b", {"inflate": [1, 1]})
    one, two = gallery("old", same, other), gallery("new", same, other, unreadable="b")
    found = compared(one, two)
    assert found.sides == (TARGET, "old: Y*", "old: inflate", "new: Y*", "new: inflate")
    for each in found.items:
        assert list(each.sides) == [name for name in found.sides if name in each.sides]


def test_what_only_one_has_is_shown_and_said() -> None:
    shared = item("b", {"inflate": [1]})
    one = gallery("old", item("a", {"inflate": [1]}), shared)
    two = gallery("new", shared, item("c", {"inflate": [1]}), tint=3)
    found = compared(one, two)
    assert [each.id for each in found.items] == ["a", "b", "c"]
    assert [each.warnings[:1] for each in found.items] == [
        ("only in old",),
        ("Y* differs between old and new",),
        ("only in new",),
    ]
    assert list(found.items[2].sides) == [TARGET, "new: inflate"] and found.items[2].numbers == {}
    assert found.reader.read("c", TARGET, "gt", [0]) == two.reader.read("c", TARGET, "gt", [0])
    assert found.reader.read("c", "new: inflate", "color", [0]) == two.reader.read("c", "inflate", "color", [0])
    assert {"1 character only in old: a.", "1 character only in new: c."} <= set(found.missing)


def test_of_other_views_those_of_one_angle_are_compared() -> None:
    one = gallery("old", item("a", {"inflate": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}))
    two = gallery("new", item("a", {"inflate": [0.1, 0.5, 0.4, 0.8]}))
    found = compared(one, two)
    each = only(found)
    assert (each.frames, each.yaws) == (2, (0, 180))
    assert each.sides["old: inflate"].values["iou"] == (0.1, 0.4)
    assert each.numbers[CHANGE] == pytest.approx(0)
    assert next(iter(each.sides)) == TARGET, "the views that show the same are the same pictures"
    assert found.reader.read("a", "new: inflate", "color", [1]) == two.reader.read("a", "inflate", "color", [2])
    assert found.reader.read("a", "old: inflate", "color", [1]) == one.reader.read("a", "inflate", "color", [3])
    assert any(said.startswith("Compared unfairly: 1 character with other views") for said in found.missing)


def test_of_clips_of_another_pace_the_frames_of_one_time_are_compared() -> None:
    timed = {"yaws": None, "action": "Walk"}
    one = gallery("old", item("a", {"inflate": [0.1, 0.2, 0.3]}, fps=12, **timed), moving=True)
    two = gallery("new", item("a", {"inflate": [0.1, 0, 0.5, 0, 0.3, 0]}, fps=24, **timed), moving=True)
    each = only(compared(one, two))
    assert (each.frames, each.fps, each.action) == (3, 12, "Walk")
    assert each.numbers[CHANGE] == pytest.approx(0.3)
    back = only(compared(two, one))
    assert (back.frames, back.fps) == (3, 12) and back.numbers[DIFFERENCE] == pytest.approx(-0.3)


def test_one_maker_each_is_compared_whatever_its_name_and_that_is_said() -> None:
    one, two = gallery("old", item("a", {"inflate": [0.5]})), gallery("new", item("a", {"fusion": [0.75]}))
    found = compared(one, two)
    assert changes(found) == {"a": 0.25}
    assert "Compared unfairly: inflate of old with fusion of new, as each has but one." in found.missing


def test_makers_and_measures_of_one_alone_are_said() -> None:
    one = gallery("old", item("a", {"inflate": [0.5], "fusion": [0.5]}), measures=(L1,))
    two = gallery("new", item("a", {"inflate": [0.75]}))
    found = compared(one, two)
    assert changes(found) == {"a": None} and {m.key for m in found.measures} == {"iou", "l1"}
    assert {"Only old has fusion.", "Only old has the measure L1.", "Only new has the measure IoU."} <= set(
        found.missing
    )
    assert any(said.startswith("No measure is in both") for said in found.missing)
    assert found.twins == (("old: Y*", "new: Y*"), ("old: inflate", "new: inflate"))


def test_what_both_lack_is_said_once() -> None:
    one = gallery("old", missing=("Nothing is packed.", "One is not rendered."))
    found = compared(one, gallery("new", missing=("Nothing is packed.",)))
    assert found.missing == ("Nothing is packed.", "old: One is not rendered.")


def test_another_size_is_unfair() -> None:
    one = gallery("old", item("a", {"inflate": [0.5]}), size=8)
    found = compared(one, gallery("new", *one.items))
    assert "Compared unfairly: the pictures of old and new differ in size (8 and 16 px)." in found.missing


def test_what_an_item_is_said_to_be_is_what_both_say() -> None:
    told = {
        "license": "CC0-1.0",
        "credit": "Ada",
        "numbers": {"outline_px": 2, "seconds": 3},
        "warnings": ("thin", "old one"),
    }
    one = gallery("old", item("a", {"inflate": [1]}, **told))
    other = told | {"license": None, "split": "test", "numbers": {"outline_px": 2, "seconds": 9}, "warnings": ("thin",)}
    each = only(compared(one, gallery("new", item("a", {"inflate": [1]}, **other))))
    assert (each.license, each.credit, each.numbers) == (None, "Ada", {"outline_px": 2, CHANGE: 0, DIFFERENCE: 0})
    assert each.warnings == (
        "its split is train in old and test in new",
        "its licence is CC0-1.0 in old and not stated in new",
        "thin",
        "old: old one",
    )


def test_pictures_that_cannot_be_read_stop_nothing() -> None:
    one = gallery("old", item("a", {"inflate": [0.5]}), unreadable="a")
    found = compared(one, gallery("new", item("a", {"inflate": [0.75]})))
    assert changes(found) == {"a": 0.25} and "old: Y*" in only(found).sides


def test_what_is_lost_in_both_alike_is_told_once() -> None:
    lost = [Lost("x", "x", "render", None, reason) for reason in ("it is no mesh", "it is too large")]
    one = gallery("old", lost=tuple(lost))
    found = compared(one, gallery("new", lost=(lost[0],)))
    assert [each.reason for each in found.lost] == ["it is no mesh", "old: it is too large"]


def test_what_is_not_alike_is_refused() -> None:
    with pytest.raises(UsageError, match="holds clips and old stills"):
        compared(gallery("old"), gallery("new", moving=True))
    with pytest.raises(UsageError, match="old is an evaluation and new is none"):
        compared(gallery("old", kind="evaluation"), gallery("new"))
