"""`specsia verify` passes good datasets, and finds planted faults by the row's uid."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from specsia_build.config import PosFrame
from specsia_build.dataset import schema
from specsia_build.dataset.verify.check import verify
from specsia_build.dataset.verify.report import CHECKS, MOST_LISTED
from specsia_build.frame import Camera, decode_position, view_yaws
from specsia_build.registration import iou
from tests.checksums import write_sums
from tests.dataset import small
from tests.dataset.small import build_small, change, failed, found, pixels, put, read_rows, shard, write_rows

Z = ("color", "mask", "pos", "edge")
ALL = tuple(schema.IMAGE_COLUMNS)

Rows = dict[str, small.StoredRow]


def test_clean_dataset_passes(one_backend: Path) -> None:
    calls: list[tuple[int, int]] = []
    report = verify(one_backend, progress=lambda done, total: calls.append((done, total)))
    assert report.ok, report.lines()
    assert (report.rows, report.characters, report.configs) == (24, 6, ("default",))
    assert [check.name for check in report.checks] == [c for c in CHECKS if c not in ("layout", "grounds")]
    assert (report.problems, report.notes) == ((), ())
    assert (calls[0], calls[-1]) == ((0, 24), (24, 24))


def test_two_backends_pass(two_backends: Path) -> None:
    report = verify(two_backends, workers=2)
    assert report.ok, report.lines()
    assert (report.rows, report.characters, report.configs) == (24, 3, ("fat", "thin"))
    assert report == verify(two_backends)


@pytest.mark.parametrize(("views", "size", "pos_frame"), [(4, 96, "view"), (1, 50, "character")])
def test_other_settings_pass(tmp_path: Path, views: int, size: int, pos_frame: PosFrame) -> None:
    folder = build_small(tmp_path / "d", ("a", "b"), views=views, size=size, pos_frame=pos_frame)
    assert verify(folder).ok, verify(folder).lines()
    (folder / schema.SUMS_FILE).unlink()
    report = verify(folder)
    assert report.ok
    assert "sums" not in {check.name for check in report.checks}
    assert len(report.notes) == 1


def test_views_of_an_earlier_version_are_refused(tmp_path: Path) -> None:
    folder = build_small(tmp_path / "d", ("a",), pos_frame="view")
    path = folder / schema.BUILD_FILE
    record = json.loads(path.read_text())
    record["stages"]["project"] = 6
    path.write_text(json.dumps(record))
    write_sums(folder)
    (problem,) = verify(folder).problems
    assert (problem.check, problem.where) == ("position", schema.BUILD_FILE)
    record["config"]["pos_frame"] = "character"
    path.write_text(json.dumps(record))
    write_sums(folder)
    assert schema.BUILD_FILE not in {problem.where for problem in verify(folder).problems}


def test_report_is_json(dataset: Path) -> None:
    for split in schema.SPLITS:
        change(dataset, lambda rows: [row.update(iou=2.0) for row in rows.values()], split)
    report = verify(dataset)
    stated = json.loads(json.dumps(report.to_json()))
    assert stated["ok"] is False
    assert set(stated) == {"ok", "rows", "characters", "configs", "checks", "problems", "notes", "unit"}
    assert {"name": "iou", "passed": False, "count": 24} in stated["checks"]
    first = report.problems[0]
    assert stated["problems"][0] == {"check": "iou", "where": first.where, "message": first.message}
    assert len(stated["problems"]) == MOST_LISTED
    assert any(line.startswith("FAILED iou") for line in report.lines())
    assert report == verify(dataset, workers=2)


# The planted faults: a function that changes rows by uid, checks of which one must fail, the rows named.


def _mirror(rows: Rows, columns: tuple[str, ...]) -> None:
    for name in columns:
        put(rows["0_00"], name, pixels(rows["0_00"], name)[:, ::-1])


def _shift(rows: Rows, columns: tuple[str, ...], shift: tuple[int, int]) -> None:
    row = rows["0_02"]
    for name in columns:
        put(row, name, np.roll(pixels(row, name), shift, (0, 1)))
    row["iou"] = iou(pixels(row, "mask"), pixels(row, "gt_mask"))


def _turn_positions(rows: Rows) -> None:
    """Positions as the published script has them: taken after the view's turn."""
    row = rows["0_01"]
    pos = pixels(row, "pos")
    turned = decode_position(pos[..., :3], row["bbox_min"], row["bbox_max"])
    turned = turned @ Camera(view_yaws(small.VIEWS)[1], 96).turn().T
    low, high = turned.min(axis=(0, 1)), turned.max(axis=(0, 1))
    share = (turned - low) / (high - low) * 255
    pos[..., :3] = share.round()
    pos[pos[..., 3] == 0] = 0
    put(row, "pos", pos)


def _take_mask_of_target(rows: Rows, thorough: bool = False) -> None:
    row = rows["0_01"]
    mask = pixels(row, "gt_mask")
    put(row, "mask", mask)
    row["iou"] = 1.0
    for name in ("color", "pos") if thorough else ():
        image = pixels(row, name)
        image[..., 3] = mask
        image[mask == 0] = 0
        put(row, name, image)


def _cut(rows: Rows) -> None:
    rows["0_00"]["color"]["bytes"] = rows["0_00"]["color"]["bytes"][:-200]


def _as_jpeg(rows: Rows) -> None:
    stream = io.BytesIO()
    Image.fromarray(pixels(rows["0_00"], "color")[..., :3]).save(stream, "JPEG")
    rows["0_00"]["color"]["bytes"] = stream.getvalue()


def _other_size(rows: Rows) -> None:
    for name in ALL:
        put(rows["0_02"], name, pixels(rows["0_02"], name)[8:-8, 8:-8])


def _erase_contour(rows: Rows) -> None:
    gt, mask = pixels(rows["0_00"], "gt"), pixels(rows["0_00"], "gt_mask")
    gt[mask == 0] = 0
    put(rows["0_00"], "gt", gt)


def _recolour_contour(rows: Rows) -> None:
    gt, mask = pixels(rows["0_01"], "gt"), pixels(rows["0_01"], "gt_mask")
    gt[(mask == 0) & (gt[..., 3] > 0), :3] ^= 0x80
    put(rows["0_01"], "gt", gt)


def _swapped(columns: tuple[str, ...], one: str = "2_00", two: str = "2_01") -> Callable[[Rows], None]:
    return lambda rows: small.swap(rows[one], rows[two], columns)


def _updated(uid: str, /, **values: object) -> Callable[[Rows], None]:
    return lambda rows: rows[uid].update(values)


def _add_bytes(rows: Rows) -> None:
    rows["0_01"]["mask"]["bytes"] += b"secret"


FAULTS: dict[str, tuple[Callable[[Rows], object], set[str], set[str]]] = {
    "swapped views": (_swapped(ALL), {"position", "iou"}, {"2_00", "2_01"}),
    "swapped Z": (_swapped(Z), {"position", "iou"}, {"2_00", "2_01"}),
    "swapped pos and edge": (_swapped(("pos", "edge")), {"position", "alpha"}, {"2_00", "2_01"}),
    "swapped color": (_swapped(("color",)), {"alpha"}, {"2_00", "2_01"}),
    "swapped edge": (_swapped(("edge",)), {"edge"}, {"2_00", "2_01"}),
    "swapped targets": (_swapped(("gt", "gt_mask")), {"iou"}, {"2_00", "2_01"}),
    "swapped gt": (_swapped(("gt",)), {"contour"}, {"2_00", "2_01"}),
    "swapped opposites": (_swapped(ALL, "hero_01", "hero_03"), {"position", "iou"}, {"hero_01", "hero_03"}),
    "swapped characters": (_swapped(ALL, "0_02", "2_02"), {"position", "iou", "contour"}, {"0_02", "2_02"}),
    "mirrored Z": (lambda rows: _mirror(rows, Z), {"position", "iou", "edge"}, {"0_00"}),
    "mirrored pair": (lambda rows: _mirror(rows, ALL), {"position", "edge"}, {"0_00"}),
    "shifted Z": (lambda rows: _shift(rows, Z, (0, 1)), {"position"}, {"0_02"}),
    "shifted pair": (lambda rows: _shift(rows, ALL, (-1, 0)), {"position"}, {"0_02"}),
    "shifted gt": (lambda rows: _shift(rows, ("gt",), (0, 1)), {"contour"}, {"0_02"}),
    "positions of the view's frame": (_turn_positions, {"position", "edge"}, {"0_01"}),
    "the wrong mask": (_take_mask_of_target, {"alpha"}, {"0_01"}),
    "the wrong mask, made to fit": (lambda rows: _take_mask_of_target(rows, True), {"edge"}, {"0_01"}),
    "a wrong IoU": (_updated("0_03", iou=0.5), {"iou"}, {"0_03"}),
    "an IoU that is no number": (_updated("0_03", iou=float("nan")), {"iou"}, {"0_03"}),
    "a truncated image": (_cut, {"images"}, {"0_00"}),
    "a JPEG image": (_as_jpeg, {"images"}, {"0_00"}),
    "an absent image": (lambda rows: rows["0_01"]["pos"].update(bytes=b""), {"images"}, {"0_01"}),
    "more bytes than the image": (_add_bytes, {"images"}, {"0_01"}),
    "another size": (_other_size, {"images", "position"}, {"0_02"}),
    "no contour": (_erase_contour, {"contour"}, {"0_00"}),
    "another grey": (_recolour_contour, {"contour"}, {"0_01"}),
    "another yaw": (_updated("0_01", yaw_deg=91.0), {"views", "position"}, {"0_01"}),
    "another backend": (_updated("0_02", backend="other"), {"views"}, {"0_02"}),
    "another box": (_updated("0_03", bbox_min=[-0.6, -0.5, -0.5]), {"views", "position"}, {"0_03"}),
    "another uid": (_updated("2_00", uid="2_09"), {"views", "images"}, {"2_09"}),
    "another view": (_updated("2_01", view=7), {"views"}, {"2_01", "2"}),
    "no thickness": (_updated("2_02", outline_px=None), {"schema"}, {"2_02"}),
    "a path of a machine": (_updated("0_03", license="/home/jane/x"), {"files", "licences"}, {"0_03"}),
    "a missing view": (lambda rows: rows.pop("2_03"), {"views"}, {"2"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_found(dataset: Path, fault: str) -> None:
    plant, checks, where = FAULTS[fault]
    change(dataset, plant)
    report = verify(dataset)
    assert failed(report)
    assert failed(report) <= checks, report.lines()
    named = {p.where for p in report.problems if p.where != schema.CARD}
    assert named == where if len(where) < 2 or "2" not in where else where <= named, report.lines()


def test_character_in_two_splits(dataset: Path) -> None:
    rows = [row for row in read_rows(shard(dataset)) if row["character_id"] == "hero"]
    write_rows(shard(dataset, "test"), read_rows(shard(dataset, "test")) + rows)
    write_sums(dataset)
    report = verify(dataset)
    assert failed(report) == {"splits", "views"}
    assert [where for where, _ in found(report, "splits")] == ["hero"]


@pytest.mark.parametrize("frozen", [True, False])
def test_character_under_two_ids(dataset: Path, frozen: bool) -> None:
    rows = [row for row in read_rows(shard(dataset)) if row["character_id"] == "hero"]
    for row in rows:
        row.update(character_id="twin", uid=f"twin_{row['view']:02d}")
        for name in schema.IMAGE_COLUMNS:
            row[name]["path"] = f"{row['uid']}_{name}.png"
    write_rows(shard(dataset, "test"), [*read_rows(shard(dataset, "test")), *rows])
    if frozen:
        text = json.loads((dataset / "splits.json").read_text())
        text["test"].append("twin")
        (dataset / "splits.json").write_text(json.dumps(text))
    write_sums(dataset)
    named = [where for where, _ in found(verify(dataset), "splits")]
    assert named == ["twin_00"] if frozen else ["twin_00", "twin"]


def test_other_splits_than_frozen(dataset: Path) -> None:
    text = json.loads((dataset / "splits.json").read_text())
    text["test"], text["validation"] = text["validation"], text["test"]
    text["train"].remove("hero")
    (dataset / "splits.json").write_text(json.dumps(text))
    write_sums(dataset)
    report = verify(dataset)
    assert failed(report) == {"splits"}
    assert sorted(where for where, _ in found(report, "splits")) == ["1", "3", "hero"]


def test_gt_differs_between_configurations(two_backends: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(two_backends)
    change(folder, lambda rows: _swapped(("gt", "gt_mask"), *list(rows)[:2])(rows), backend="thin")
    assert "views" in failed(verify(folder))


def test_rewritten_image_and_missing_row(dataset: Path) -> None:
    rows = read_rows(shard(dataset))
    stream = io.BytesIO()
    Image.open(io.BytesIO(rows[2]["gt"]["bytes"])).save(stream, "PNG")
    rows[2]["gt"]["bytes"] = stream.getvalue()
    write_rows(shard(dataset), [row for row in rows if row["uid"] != "2_03"])
    report = verify(dataset)
    assert failed(report) == {"sums", "views"}
    assert [where for where, _ in found(report, "sums")] == ["data/train-00000-of-00001.parquet"]


def test_private_licences_are_noted(dataset: Path) -> None:
    def relicense(rows: Rows) -> None:
        for uid, row in rows.items():
            row["license"] = "CC BY-ND 4.0" if uid.startswith("0_") else row["license"]

    change(dataset, relicense)
    card = dataset / schema.CARD
    assert [where for where, _ in found(verify(dataset), "licences")] == [schema.CARD]
    stated = yaml.safe_dump({"license": ["cc-by-nd-4.0", "cc0-1.0"]}).strip()
    card.write_text(card.read_text().replace("license: cc0-1.0", stated))
    write_sums(dataset)
    report = verify(dataset)
    assert report.ok, report.lines()
    assert "must not be shared" in report.notes[0]
