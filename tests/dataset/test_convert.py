"""Convert datasets to the published schema."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image
from specsia_build.dataset.convert import to_published

from specsia_build.dataset import schema
from specsia_build.dataset.pairs import BACKGROUND, Pair, decode_pair, pair_columns
from specsia_build.dataset.reading import OpenedDataset, open_dataset
from specsia_build.errors import SpecsiaError, UsageError
from tests.commands import specsia
from tests.dataset.small import VIEWS, change, pixels, read_rows, shard

DRAWN = ("color", "pos", "gt")


def pairs_of(dataset: OpenedDataset, split: str = "train") -> list[Pair]:
    return [decode_pair(row) for row in dataset.stream("default", split, pair_columns(dataset))]


def on_grey(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The image composited, exactly."""
    alpha = image[..., 3:] / 255
    return np.asarray(image[..., :3] * alpha + BACKGROUND * (1 - alpha))


def test_published_columns_and_splits(one_backend: Path, converted: Path) -> None:
    before, after = open_dataset(one_backend), open_dataset(converted)
    assert (after.kind, after.columns) == ("published", ("uid", "color", "pos", "edge", "mask", "gt"))
    assert after.splits("default") == before.splits("default")
    for split in before.splits("default"):
        uids = [[row["uid"] for row in d.stream("default", split, ["uid"])] for d in (before, after)]
        assert uids[0] == uids[1]
    assert (converted / schema.SPLITS_FILE).read_bytes() == (one_backend / schema.SPLITS_FILE).read_bytes()


def test_composited_on_grey(one_backend: Path, converted: Path) -> None:
    for before, after in zip(read_rows(shard(one_backend)), read_rows(shard(converted)), strict=True):
        for name in DRAWN:
            image = Image.open(io.BytesIO(after[name]["bytes"]))
            assert image.mode == "RGB"
            assert np.abs(np.asarray(image) - on_grey(pixels(before, name))).max() <= 0.5 + 1e-9
        for name in ("mask", "edge"):
            assert after[name]["bytes"] == before[name]["bytes"]


def test_pairs_round_trip(one_backend: Path, converted: Path) -> None:
    for before, after in zip(*(pairs_of(open_dataset(f)) for f in (one_backend, converted)), strict=True):
        assert (after.uid, after.character_id, after.view) == (before.uid, before.character_id, before.view)
        np.testing.assert_array_equal(after.z[..., 3], before.z[..., 3])
        for name in ("z", "pos"):
            original, restored = getattr(before, name).astype(int), getattr(after, name).astype(int)
            solid = original[..., 3] >= 64
            assert np.abs(original - restored)[solid].max() <= 2
            assert not restored[restored[..., 3] == 0].any()
        # Its coverage is lost, so that a pixel is either drawn or not; what looks like the background is not.
        assert np.abs(on_grey(before.gt) - BACKGROUND)[after.gt[..., 3] == 0].max() <= 0.5
        assert set(np.unique(after.gt[..., 3])) == {0, 255}
        if before.outline_grey != BACKGROUND:
            assert np.count_nonzero((after.gt[..., 3] > 0) != (before.gt[..., 3] > 0)) < 20
        assert np.abs(on_grey(after.gt) - on_grey(before.gt)).max() <= 0.5
        assert (after.gt_mask, after.iou, after.backend, after.outline_px) == (None, None, None, None)


def test_card_and_record(one_backend: Path, converted: Path) -> None:
    card = (converted / schema.CARD).read_text()
    fields = yaml.safe_load(card.split("---\n")[1])
    assert fields["license"] == "cc0-1.0"
    assert [c["config_name"] for c in fields["configs"]] == ["default"]
    digest = open_dataset(one_backend).digest()
    assert digest in card
    assert str(one_backend.parent) not in card
    record = json.loads((converted / schema.BUILD_FILE).read_text())
    assert record["converted"]["from"]["digest"] == digest
    assert record["config"]["views"] == VIEWS


def test_bytes_do_not_depend_on_workers(two_backends: Path, tmp_path: Path) -> None:
    opened = open_dataset(two_backends)
    to_published(opened, tmp_path / "one", workers=1)
    to_published(opened, tmp_path / "two", workers=2)
    sums = [(tmp_path / name / schema.SUMS_FILE).read_text() for name in ("one", "two")]
    assert sums[0] == sums[1]
    assert open_dataset(tmp_path / "one").configs == ("fat", "thin")


def test_gt_mask_stays_with_gt(one_backend: Path, converted: Path) -> None:
    """The published set's own `mask` is the ground truth's."""
    before, after = open_dataset(one_backend), open_dataset(converted)
    (own,) = before.take("default", "train", [1], before.columns)
    (row,) = after.take("default", "train", [1], after.columns)
    pair, original = decode_pair({**row, "mask": own["gt_mask"]}), decode_pair(own)
    assert np.array_equal(pair.z[..., 3] > 0, original.z[..., 3] > 0)


def test_inconvertible_datasets(converted: Path, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="published schema"):
        to_published(open_dataset(converted), tmp_path / "out")

    def damage(rows: dict[str, dict[str, dict[str, bytes]]]) -> None:
        rows["0_01"]["gt"]["bytes"] = rows["0_01"]["gt"]["bytes"][:-30]

    change(dataset, damage)
    with pytest.raises(SpecsiaError, match=r"0_01 .* gt is cut off"):
        to_published(open_dataset(dataset), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_command_converts(one_backend: Path, converted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("convert", one_backend, "--to", "published", "--out", out, "--workers", "1", "--json")
    assert json.loads(specsia(*arguments).stdout)["rows"]["default"]["test"] == VIEWS
    assert (out / schema.SUMS_FILE).read_bytes() == (converted / schema.SUMS_FILE).read_bytes()
    specsia(*arguments, code=2)
