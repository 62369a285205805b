"""Rows and tree of the published layout, read in this project's schema."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import specsia
from specsia_build.dataset import foreign
from specsia_build.dataset.pairs import Pair, decode_pair, pair_at, pair_columns
from specsia_build.dataset.reading import OpenedDataset, open_dataset
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.published.rows import straight, z_of
from tests.published import figures
from tests.published.figures import Array, Pictures, figure


def all_pairs(where: Path) -> list[Pair]:
    return list(specsia.open_dataset(where))


def errors(pair: Pair) -> Array:
    """Largest difference in levels of each shown pixel's position from the truth."""
    number, view = int(pair.character_id), pair.view
    shown = figures.surface(figure(number), view)[1] >= 0
    off = np.abs(pair.pos[..., :3].astype(int) - figures.truth(figure(number), view)).max(axis=-1)
    return np.asarray(off[shown])


@pytest.mark.parametrize("layout", ["rows", "tree"])
def test_planes_are_those_of_the_figures(layout: str, request: pytest.FixtureRequest) -> None:
    pairs = all_pairs(request.getfixturevalue(layout))
    uids = [figures.uids_of(numbers, range(figures.VIEWS)) for numbers in figures.SPLITS.values()]
    assert [pair.uid for pair in pairs] == [uid for one in uids for uid in one]
    off = np.concatenate([errors(pair) for pair in pairs])
    assert np.percentile(off, [50, 95]).max() <= 3
    for pair in pairs:
        made = figures.view_of(pair.uid)
        shown = made["color"][..., 3] > 0
        assert np.array_equal(pair.z[..., 3] > 0, shown)
        assert np.array_equal(pair.z[shown][:, :3], made["color"][shown][:, :3])
        assert not pair.z[~shown].any()
        assert np.array_equal(pair.pos[..., 3], pair.z[..., 3])
        assert np.array_equal(pair.gt[..., 3] > 0, made["mask"] > 0)
        opaque = made["gt"][..., 3] == 255
        assert np.abs(pair.gt[opaque].astype(int) - made["gt"][opaque]).max() <= 2
        # Most of what the grey took of the contour's opacity is found again.
        taken = np.abs(made["mask"].astype(int) - made["gt"][..., 3]).sum()
        assert np.abs(pair.gt[..., 3].astype(int) - made["gt"][..., 3]).sum() < 0.7 * taken


def _shifted(uid: str, made: Pictures) -> Pictures:
    down, right = np.random.default_rng(int(uid.replace("_", ""))).integers(-4, 5, 2)
    moved = {name: np.roll(made[name], (down, right), (0, 1)) for name in ("color", "pos", "edge")}
    return moved | {name: made[name] for name in ("mask", "gt")}


def test_views_may_be_shifted_in_their_pictures(tmp_path: Path) -> None:
    where = figures.write_rows(tmp_path / "hub", _shifted, splits={"test": (4,)})
    for pair in all_pairs(where):
        down, right = np.random.default_rng(int(pair.uid.replace("_", ""))).integers(-4, 5, 2)
        moved = np.roll(pair.pos, (-down, -right), (0, 1))
        shown = figures.surface(figure(4), pair.view)[1] >= 0
        off = np.abs(moved[..., :3].astype(int) - figures.truth(figure(4), pair.view)).max(axis=-1)[shown]
        assert np.percentile(off, 95) <= 5


def test_rows_by_number_and_in_order_are_the_same(rows: Path) -> None:
    streamed = open_dataset(rows)
    columns = pair_columns(streamed)
    expected = list(streamed.stream("default", "train", columns))
    single = open_dataset(rows)
    for number in (13, 4, 19):
        assert single.take("default", "train", [number], columns) == [expected[number]]
    mixed = open_dataset(rows).take("default", "train", [19, 3, 3, 12], columns)
    assert mixed == [expected[number] for number in (19, 3, 3, 12)]


def test_reading_in_order_fits_each_character_once(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    fit = foreign.fit_rows

    def counted(some_rows: Sequence[dict[str, Any]], channels: Mapping[str, int], where: str) -> object:
        taken.append(some_rows[0]["uid"])
        return fit(some_rows, channels, where)

    def refuse(self: OpenedDataset, *of: object) -> object:
        raise AssertionError("rows that are there already were read again")

    monkeypatch.setattr(foreign, "fit_rows", counted)
    monkeypatch.setattr(OpenedDataset, "take_stored", refuse)
    dataset = open_dataset(rows)
    for _ in range(2):
        list(dataset.stream("default", "train", pair_columns(dataset)))
    assert taken == ["3_00", "7_00"]


def test_few_views_keep_their_positions(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    where = figures.write_rows(tmp_path / "hub", views=(0, 1), splits={"train": (3, 7)})
    dataset = open_dataset(where)
    pairs = [decode_pair(row) for row in dataset.stream("default", "train", pair_columns(dataset))]
    for pair in pairs:
        made = figures.view_of(pair.uid)
        shown = made["pos"][..., 3] > 0
        assert np.array_equal(pair.pos[shown], made["pos"][shown])
    assert not dataset.keeps_places("default", "3")
    assert capfd.readouterr().err.count("warning") == 1


def test_three_views_are_enough(tmp_path: Path) -> None:
    where = figures.write_rows(tmp_path / "hub", views=(0, 1, 2), splits={"train": (3,)})
    assert open_dataset(where).keeps_places("default", "3")
    assert max(np.percentile(errors(pair), 95) for pair in all_pairs(where)) <= 8


def _flip_depth(uid: str, made: Pictures) -> Pictures:
    pos = made["pos"].copy()
    shown = (pos > 2).any(axis=-1)
    pos[shown, 1] = 255 - pos[shown, 1]
    return {**made, "pos": pos}


def _with(name: str, how: object) -> figures.Change:
    def change(uid: str, made: Pictures) -> Pictures:
        assert callable(how)
        return {**made, name: how(made[name])}

    return change


def _mirrored(pos: Array) -> Array:
    return np.where((pos > 2).any(axis=-1, keepdims=True), np.dstack([255 - pos[..., 0], pos[..., 1:]]), 0)


def _on_grey(image: Array) -> Array:
    return np.where((image > 2).any(axis=-1, keepdims=True), image, 240).astype(np.uint8)


def _opaque(image: Array) -> Array:
    return np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])


FOREIGN = {
    "depth from the back": (_flip_depth, "pos"),
    "mirrored": (_with("pos", _mirrored), "pos"),
    "up in green": (_with("pos", lambda pos: pos[..., [0, 2, 1]]), "pos"),
    "color on grey": (_with("color", _on_grey), "color"),
    "pos on grey": (_with("pos", _on_grey), "pos"),
    "gt on white": (_with("gt", lambda gt: np.where(gt == 240, 255, gt).astype(np.uint8)), "gt"),
    "color with alpha": (_with("color", _opaque), "color"),
    "gt with alpha": (_with("gt", _opaque), "gt"),
    "coloured mask": (_with("mask", lambda mask: np.dstack([mask] * 3)), "mask"),
}


@pytest.mark.parametrize("fault", FOREIGN)
def test_other_channels_grounds_and_modes_are_refused_by_column(fault: str, tmp_path: Path) -> None:
    change, column = FOREIGN[fault]
    where = figures.write_rows(tmp_path / "hub", change, splits={"test": (5,)})
    with pytest.raises(SpecsiaError, match=rf"\b{column}\b"):
        all_pairs(where)


def test_a_place_without_a_position_takes_its_neighbour() -> None:
    images = figures.as_row(figures.view_of("3_02"))
    color, pos = images["color"].copy(), images["pos"].copy()
    rows, columns = np.nonzero((pos > 2).all(axis=-1))
    at = rows[len(rows) // 2], columns[len(rows) // 2]
    color[at], pos[at] = 200, 0
    _, filled = z_of({"color": color, "pos": pos})
    assert np.abs(filled[at].astype(int) - images["pos"][at]).max() <= 8
    assert filled[0, 0].tolist() == [0, 0, 0]


def test_a_light_contour_and_a_mixed_one_stay_opaque() -> None:
    disc = np.hypot(*np.mgrid[-20:20, -20:20]) < 15
    mask = np.where(disc, 255, 0).astype(np.uint8)
    light = np.where(disc, 238, 240).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    mixed = np.where(disc[..., None], noise, 240).astype(np.uint8)
    for gt in (np.dstack([light] * 3), mixed):
        out = straight(gt, mask)
        assert np.array_equal(out[..., 3], mask)
        assert np.array_equal(out[disc][:, :3], gt[disc])


def test_a_link_may_not_lead_out_of_the_trees(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    folder = figures.write_tree(tmp_path / "sets" / "SPECSIA-15k")
    (folder.parent / "preprocessed" / "5_00").rename(outside)
    (folder / "5_00" / "char").unlink()
    (folder / "5_00" / "char").symlink_to(outside / "char")
    dataset = open_dataset(folder)
    with pytest.raises(SpecsiaError, match=r"leads out"):
        pair_at(dataset, "default", "test", 0)
    assert pair_at(dataset, "default", "test", 1).view == 1


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[1, 2]", SpecsiaError),
        ('["../../etc/passwd_01"]', SpecsiaError),
        ("{", SpecsiaError),
        (None, SpecsiaError),
        ("[]", UsageError),
    ],
)
def test_damaged_lists(tmp_path: Path, text: str | None, kind: type[Exception]) -> None:
    folder = tmp_path / "tree"
    (folder / "splits").mkdir(parents=True)
    for name in ("train", "val", "test"):
        (folder / "splits" / f"{name}_uids.json").write_text("[]")
    if text is None:
        (folder / "splits" / "val_uids.json").unlink()
    else:
        (folder / "splits" / "val_uids.json").write_text(text)
    with pytest.raises(kind):
        open_dataset(folder)


def test_digest_of_a_tree_follows_its_files(tree: Path, tmp_path: Path) -> None:
    folder = figures.write_tree(tmp_path / "tree", linked=False)
    digest = open_dataset(folder).digest()
    assert digest == open_dataset(tree).digest()
    Image.new("L", (8, 8)).save(folder / "3_00" / "char" / "mask.png")
    assert open_dataset(folder).digest() != digest
