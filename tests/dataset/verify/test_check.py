"""`verify` passes what was built and finds what was planted, by name of the row, whether or not sums can tell."""

from __future__ import annotations

import io
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from specsia_build.dataset import schema
from specsia_build.dataset.verify.check import verify
from specsia_build.dataset.verify.report import CHECKS, CLIPS, LAYOUT, MOST_LISTED
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.frame import Camera, decode_position, view_yaws
from specsia_build.registration import iou
from tests.dataset.small import (
    VIEWS,
    StoredRow,
    build_small,
    change,
    failed,
    found,
    pixels,
    put,
    read_rows,
    reseal,
    reseal_files_only,
    shard,
    swap,
    write_rows,
)

Z = ("color", "mask", "pos", "edge")
ALL = tuple(schema.IMAGE_COLUMNS)


def test_a_folder_s_name_may_look_like_that_of_a_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_backend: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(one_backend, "s3:mine/dataset")
    assert verify(Path("s3:mine/dataset")).ok


def test_a_clean_dataset_passes(one_backend: Path) -> None:
    calls: list[tuple[int, int]] = []
    report = verify(one_backend, progress=lambda done, total: calls.append((done, total)))
    assert report.ok, report.lines()
    assert (report.rows, report.characters, report.configs) == (24, 6, ("default",))
    assert [check.name for check in report.checks] == [name for name in CHECKS if name not in {CLIPS, LAYOUT}]
    assert (report.problems, report.notes) == ((), ())
    assert calls[0] == (0, 24)
    assert calls[-1] == (24, 24)


@pytest.mark.parametrize(
    ("license_", "stated", "why"),
    [
        (None, {"license": "other", "license_name": "mixed"}, "without a licence"),
        (
            "CC BY-ND 4.0",
            {"license": ["cc-by-nd-4.0", "cc0-1.0"]},
            "under 'CC BY-ND 4.0', which forbids passing changed copies on, and rendered pairs are that",
        ),
    ],
)
def test_licences_that_let_nothing_be_passed_on_are_said(
    dataset: Path, license_: str | None, stated: dict[str, object], why: str
) -> None:
    def relicense(rows: dict[str, StoredRow]) -> None:
        for uid, row in rows.items():
            row["license"] = license_ if uid.startswith("0_") else row["license"]

    change(dataset, relicense)
    card = dataset / "README.md"
    message = f"gives {{'license': 'cc0-1.0'}}, where the rows have {stated}"
    assert found(verify(dataset), "licences") == [("README.md", message)]
    card.write_text(card.read_text().replace("license: cc0-1.0", yaml.safe_dump(stated).strip()))
    reseal(dataset)
    report = verify(dataset)
    assert report.ok, report.lines()
    assert report.notes == (f"it is not to be passed on as it is: it holds 1 character {why}",)


def test_two_backends_pass_in_two_processes_and_in_one(two_backends: Path) -> None:
    report = verify(two_backends, workers=2)
    assert report.ok, report.lines()
    assert (report.rows, report.characters, report.configs) == (24, 3, ("fat", "thin"))
    assert report == verify(two_backends)


@pytest.mark.parametrize(("views", "size", "pos_frame"), [(4, 96, "view"), (3, 50, "character"), (1, 64, "character")])
def test_other_settings_pass_with_sums_and_without(tmp_path: Path, views: int, size: int, pos_frame: str) -> None:
    folder = build_small(tmp_path / "d", ("a", "b"), views=views, size=size, pos_frame=pos_frame)
    assert verify(folder).ok, verify(folder).lines()
    assert not list((folder / "data").glob("test*"))
    for name in (schema.SUMS_FILE, schema.CHECKSUMS_FILE, schema.BUILD_FILE):
        (folder / name).unlink()
    report = verify(folder)
    assert failed(report) == {"files"}
    assert found(report, "files") == [("build.json", "is missing")]
    assert {"file sums", "image sums"}.isdisjoint(check.name for check in report.checks)
    assert [note.split(":")[0] for note in report.notes] == ["there is no SHA256SUMS", "there is no checksums.parquet"]
    assert "note   there is no SHA256SUMS" in "\n".join(report.lines())


def test_masks_that_are_all_the_ground_truths_are_only_noted(dataset: Path) -> None:
    def replace(rows: dict[str, StoredRow]) -> None:
        for row in rows.values():
            row["gt_mask"], row["gt"], row["iou"] = row["mask"], row["color"], 1.0

    for split in schema.SPLITS:
        change(dataset, replace, split)
    assert verify(dataset).notes[0].startswith("in default every mask is the ground truth's")


def test_an_exact_reconstruction_passes(tmp_path: Path) -> None:
    report = verify(build_small(tmp_path / "d", ("a",), backends=("exact",)))
    assert report.ok, report.lines()


def test_the_report_is_plain_json(dataset: Path) -> None:
    change(dataset, lambda rows: rows["0_01"].update(iou=0.25))
    report = verify(dataset)
    told = json.loads(json.dumps(report.to_json()))
    assert told["ok"] is False
    assert told["problems"] == [{"check": "iou", "where": "0_01", "message": report.problems[0].message}]
    assert report.problems[0].message.startswith("iou is 0.25 but that of mask and gt_mask is 0.")
    assert "FAILED iou: iou is that of mask and gt_mask (1)\n         0_01: iou is 0.25" in "\n".join(report.lines())


@pytest.mark.parametrize(
    ("columns", "checks"),
    [
        (ALL, {"position", "iou"}),
        (Z, {"position", "iou"}),
        (("pos", "edge"), {"position", "alpha"}),
        (("pos",), {"position", "alpha", "edge"}),
        (("color",), {"alpha"}),
        (("mask",), {"alpha", "iou"}),
        (("edge",), {"edge"}),
        (("gt", "gt_mask"), {"iou"}),
        (("gt",), {"contour"}),
        (("gt_mask",), {"contour", "iou"}),
    ],
)
def test_swapped_views(dataset: Path, columns: tuple[str, ...], checks: set[str]) -> None:
    change(dataset, lambda rows: swap(rows["2_00"], rows["2_01"], columns))
    report = verify(dataset)
    assert failed(report) == checks, report.lines()
    assert {p.where for p in report.problems} == {"2_00", "2_01"}


def test_swapped_opposite_views(dataset: Path) -> None:
    change(dataset, lambda rows: swap(rows["hero_01"], rows["hero_03"], ALL))
    report = verify(dataset)
    assert [where for where, _ in found(report, "position")] == ["hero_01", "hero_03"]


def test_images_of_two_characters_swapped(dataset: Path) -> None:
    change(dataset, lambda rows: swap(rows["0_02"], rows["2_02"], ALL))
    assert {p.where for p in verify(dataset).problems} == {"0_02", "2_02"}


@pytest.mark.parametrize("columns", [Z, ("color", "mask", "pos"), ALL])
def test_a_mirrored_pair(dataset: Path, columns: tuple[str, ...]) -> None:
    def mirror(rows: dict[str, StoredRow]) -> None:
        for name in columns:
            put(rows["0_00"], name, pixels(rows["0_00"], name)[:, ::-1])

    change(dataset, mirror)
    report = verify(dataset)
    assert "position" in failed(report)
    assert {p.where for p in report.problems} == {"0_00"}


@pytest.mark.parametrize("columns", [Z, ALL, ("gt", "gt_mask"), ("gt",)])
@pytest.mark.parametrize("shift", [(0, 1), (-1, 0), (3, -3)])
def test_a_shifted_pair(dataset: Path, columns: tuple[str, ...], shift: tuple[int, int]) -> None:
    def move(rows: dict[str, StoredRow]) -> None:
        for name in columns:
            put(rows["3_02"], name, np.roll(pixels(rows["3_02"], name), shift, (0, 1)))
        rows["3_02"]["iou"] = iou(pixels(rows["3_02"], "mask"), pixels(rows["3_02"], "gt_mask"))

    change(dataset, move, "validation")
    report = verify(dataset)
    assert not report.ok
    assert {p.where for p in report.problems} == {"3_02"}


def test_a_shifted_target_does_not_fit_the_recorded_iou(dataset: Path) -> None:
    def move(rows: dict[str, StoredRow]) -> None:
        for name in ("gt", "gt_mask"):
            put(rows["0_02"], name, np.roll(pixels(rows["0_02"], name), 1, 1))

    change(dataset, move)
    assert failed(verify(dataset)) == {"iou"}


@pytest.mark.parametrize("yaw", [5e-324, math.inf, 1e300])
def test_yaws_that_no_camera_has_are_told_where_nothing_says_how_many_views(dataset: Path, yaw: float) -> None:
    (dataset / schema.BUILD_FILE).unlink()
    change(dataset, lambda rows: [row.update(yaw_deg=yaw) for row in rows.values()])
    assert any("yaw_deg is" in message for _, message in found(verify(dataset), "views"))


def test_a_missing_view(dataset: Path) -> None:
    change(dataset, lambda rows: rows.pop("2_03"))
    report = verify(dataset)
    assert found(report, "views") == [("2", "lacks view 3 of 4 in default")]
    assert failed(report) == {"views"}


def test_a_missing_view_is_also_missed_by_the_image_sums(dataset: Path) -> None:
    rows = read_rows(shard(dataset))
    write_rows(shard(dataset), [row for row in rows if row["uid"] != "2_03"])
    report = verify(dataset)
    assert failed(report) == {"file sums", "views", "image sums"}
    assert found(report, "image sums") == [("2_03", "is listed in checksums.parquet but not in default")]


def test_a_character_in_two_splits(dataset: Path) -> None:
    rows = [row for row in read_rows(shard(dataset)) if row["character_id"] == "hero"]
    write_rows(shard(dataset, "test"), read_rows(shard(dataset, "test")) + rows)
    reseal_files_only(dataset)
    report = verify(dataset)
    assert failed(report) == {"splits", "views"}
    assert found(report, "splits") == [("hero", "stands in test and in train")]
    assert [where for where, _ in found(report, "views")] == ["hero_00", "hero_01", "hero_02", "hero_03"]


@pytest.mark.parametrize("frozen", [True, False])
def test_a_character_in_two_splits_under_two_ids(dataset: Path, frozen: bool) -> None:
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
    reseal(dataset)
    told = found(verify(dataset), "splits")
    assert ("twin_00", "shows the same character as hero_00 of train") in told
    assert (("twin", "is not in splits.json") in told) == (not frozen)


def test_a_character_in_a_split_of_its_own_per_backend(two_backends: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(two_backends)
    one, two = shard(folder, "test", "thin"), shard(folder, "validation", "thin")
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    reseal(folder)
    report = verify(folder)
    assert failed(report) == {"splits"}
    assert [message.split(" in ")[0] for _, message in found(report, "splits")] == ["stands", "stands"]


def test_a_split_that_is_not_the_frozen_one(dataset: Path) -> None:
    text = json.loads((dataset / "splits.json").read_text())
    text["test"], text["validation"] = text["validation"], text["test"]
    text["train"].remove("hero")
    (dataset / "splits.json").write_text(json.dumps(text))
    reseal(dataset)
    report = verify(dataset)
    assert failed(report) == {"splits"}
    assert sorted(found(report, "splits")) == [
        ("1", "is in test but in validation by splits.json"),
        ("3", "is in validation but in test by splits.json"),
        ("hero", "is not in splits.json"),
    ]


def test_splits_that_a_manifest_fixed_are_only_noted(tmp_path: Path) -> None:
    folder = build_small(tmp_path / "d", ("a", "b", "c"), fixed={"a": "test", "b": "train", "c": "train"}, views=1)
    report = verify(folder)
    assert report.ok, report.lines()
    assert "of 3 ids of splits.json are in another split" in report.notes[0]


def test_a_truncated_png(dataset: Path) -> None:
    def cut(rows: dict[str, StoredRow]) -> None:
        rows["0_00"]["color"]["bytes"] = rows["0_00"]["color"]["bytes"][:-200]
        rows["0_01"]["gt"]["bytes"] = rows["0_01"]["gt"]["bytes"][:-12]
        rows["2_00"]["pos"]["bytes"] = b""

    change(dataset, cut)
    assert found(verify(dataset), "images") == [
        ("0_00", "color is cut off"),
        ("0_01", "gt is cut off"),
        ("2_00", "has no pos"),
    ]


def test_a_position_from_another_frame(dataset: Path) -> None:
    def turn(rows: dict[str, StoredRow]) -> None:
        row = rows["0_01"]
        pos = pixels(row, "pos")
        points = decode_position(pos[..., :3], row["bbox_min"], row["bbox_max"])
        turned = points @ Camera(view_yaws(VIEWS)[1], 96).turn().T
        low, high = turned.min(axis=(0, 1)), turned.max(axis=(0, 1))
        share = (turned - low) / (high - low) * 255
        pos[..., :3] = np.stack([share[..., 0], share[..., 2], 255 - share[..., 1]], axis=-1).round()
        pos[pos[..., 3] == 0] = 0
        put(row, "pos", pos)

    change(dataset, turn)
    report = verify(dataset)
    assert {"position"} <= failed(report) <= {"position", "edge"}
    assert {p.where for p in report.problems} == {"0_01"}


@pytest.mark.parametrize("thorough", [False, True])
def test_a_mask_from_the_ground_truth(dataset: Path, thorough: bool) -> None:
    def replace(rows: dict[str, StoredRow]) -> None:
        row = rows["0_01"]
        mask = pixels(row, "gt_mask")
        put(row, "mask", mask)
        row["iou"] = 1.0
        if thorough:
            for name in ("color", "pos"):
                image = pixels(row, name)
                image[..., 3] = mask
                image[mask == 0] = 0
                put(row, name, image)

    change(dataset, replace)
    report = verify(dataset)
    assert failed(report) == ({"edge"} if thorough else {"alpha"})
    assert {p.where for p in report.problems} == {"0_01"}


def test_an_image_written_anew(dataset: Path) -> None:
    rows = read_rows(shard(dataset))
    stream = io.BytesIO()
    Image.open(io.BytesIO(rows[2]["gt"]["bytes"])).save(stream, "PNG")
    rows[2]["gt"]["bytes"] = stream.getvalue()
    write_rows(shard(dataset), rows)
    report = verify(dataset)
    assert failed(report) == {"file sums", "image sums"}
    assert found(report, "image sums") == [(rows[2]["uid"], "gt is not the image that checksums.parquet lists")]


def test_wrong_modes_and_sizes(dataset: Path) -> None:
    def alter(rows: dict[str, StoredRow]) -> None:
        put(rows["0_00"], "mask", np.repeat(pixels(rows["0_00"], "mask")[..., None], 3, axis=-1))
        put(rows["0_01"], "gt", pixels(rows["0_01"], "gt")[:90])
        for name in ALL:
            put(rows["0_02"], name, pixels(rows["0_02"], name)[8:-8, 8:-8])

    change(dataset, alter)
    assert [where for where, _ in found(verify(dataset), "images")] == ["0_00", "0_01", "0_02"]
    assert found(verify(dataset), "images")[::2] == [
        ("0_00", "mask is of mode RGB, not L"),
        ("0_02", "its images have 80 x 80 pixels, not 96 x 96"),
    ]


def test_hidden_text_in_a_png(dataset: Path) -> None:
    def hide(rows: dict[str, StoredRow]) -> None:
        stream = io.BytesIO()
        Image.fromarray(pixels(rows["0_00"], "mask")).save(stream, "PNG", dpi=(72, 72))
        rows["0_00"]["mask"]["bytes"] = stream.getvalue()
        rows["0_01"]["mask"]["bytes"] += b"secret"
        rows["0_02"]["mask"]["path"] = "/home/someone/mask.png"
        rows["0_03"]["license"] = "see /home/someone/LICENSE"

    change(dataset, hide)
    report = verify(dataset)
    assert failed(report) == {"metadata", "licences"}
    assert found(report, "metadata") == [
        ("0_00", "mask carries more than pixels: pHYs"),
        ("0_01", "mask carries more than pixels: trailing bytes"),
        ("0_02", "the file name of mask is '/home/someone/mask.png', not '0_02_mask.png'"),
        ("0_03", "license holds a path: /home/someone/LICENSE"),
    ]


def test_a_contour_that_is_not_there(dataset: Path) -> None:
    def erase(rows: dict[str, StoredRow]) -> None:
        gt, mask = pixels(rows["0_00"], "gt"), pixels(rows["0_00"], "gt_mask")
        gt[mask == 0] = 0
        put(rows["0_00"], "gt", gt)
        grey = pixels(rows["0_01"], "gt")
        mask = pixels(rows["0_01"], "gt_mask")
        grey[(mask == 0) & (grey[..., 3] > 0), :3] ^= 0x80
        put(rows["0_01"], "gt", grey)
        put(rows["0_02"], "gt_mask", np.zeros_like(mask))

    change(dataset, erase)
    report = verify(dataset)
    said = dict(found(report, "contour"))
    assert said["0_00"].startswith("gt has 0.00 times the contour")
    assert "are not of the contour's grey" in said["0_01"]
    assert said["0_02"] == "gt_mask is empty"


def test_rows_that_contradict_each_other(dataset: Path) -> None:
    def alter(rows: dict[str, StoredRow]) -> None:
        rows["0_01"].update(yaw_deg=91.0)
        rows["0_02"].update(backend="other")
        rows["0_03"].update(bbox_min=[-0.6, -0.5, -0.5])
        rows["2_00"].update(uid="2_09")
        rows["2_01"].update(view=7)
        rows["2_02"].update(outline_px=None)

    change(dataset, alter)
    report = verify(dataset)
    said = [where for where, _ in found(report, "views")]
    assert {"0_01", "0_02", "0_03", "2_09", "2_01"} <= set(said)
    assert found(report, "schema") == [("2_02", "has no outline_px")]


def test_all_problems_are_counted_and_some_listed(dataset: Path) -> None:
    for split in schema.SPLITS:
        change(dataset, lambda rows: [row.update(iou=2.0) for row in rows.values()], split)
    report = verify(dataset)
    assert [check.count for check in report.checks if check.name == "iou"] == [24]
    assert len(report.problems) == MOST_LISTED
    assert "... and 4 more" in "\n".join(report.lines())
    assert report == verify(dataset, workers=2)


def test_no_folder_and_no_dataset(tmp_path: Path, one_backend: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        verify(tmp_path / "nowhere")
    with pytest.raises(SpecsiaError, match="is no packed dataset"):
        verify(tmp_path)
    shutil.copytree(one_backend, tmp_path / "dataset")
    with pytest.raises(SpecsiaError, match=r"did you mean .*dataset"):
        verify(tmp_path)


def test_rows_without_a_view_lack_that_view_alone(tmp_path: Path) -> None:
    made = build_small(tmp_path / "dataset", ["a"])
    (made / schema.BUILD_FILE).unlink()
    change(made, lambda rows: rows.pop("a_00"))
    report = verify(made)
    assert found(report, "views") == [("a", f"lacks view 0 of {VIEWS} in default")]
    assert "position" not in failed(report)
