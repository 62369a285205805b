"""`diff` says what differs between two datasets, in rows, values and pixels, and nothing where they are equal."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from specsia_build.cli.main import main
from specsia_build.dataset.diff.compare import diff
from specsia_build.dataset.diff.report import DatasetDiff
from specsia_build.dataset.reading import open_dataset
from specsia_build.errors import SpecsiaError
from tests.dataset.small import StoredRow, build_small, change, pixels, put, read_rows, shard, write_rows


def compared(one: Path, two: Path) -> DatasetDiff:
    return diff(open_dataset(one), open_dataset(two))


def specsia(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_copy_is_equal(one_backend: Path, dataset: Path) -> None:
    calls: list[tuple[int, int]] = []
    found = diff(open_dataset(one_backend), open_dataset(dataset), lambda done, total: calls.append((done, total)))
    assert found.equal
    assert (calls[0], calls[-1]) == ((0, 24), (24, 24))
    assert "\n".join(found.lines()).endswith("default: 24 rows and 24, 0 of 24 common differ\nthe datasets are equal")


def test_what_is_no_number_in_both_is_the_same(dataset: Path) -> None:
    def lose(rows: dict[str, StoredRow]) -> None:
        rows["0_01"].update(yaw_deg=math.nan, bbox_min=[math.nan, 0.0, 0.0])

    change(dataset, lose)
    assert compared(dataset, dataset).equal


def test_two_configurations_are_compared_each_with_its_own(two_backends: Path, one_backend: Path) -> None:
    assert [c.config for c in compared(two_backends, two_backends).configs] == ["fat", "thin"]
    found = compared(two_backends, one_backend)
    assert found.settings["config.backends"] == (["fat", "thin"], ["fat"])
    assert not found.equal


def test_a_default_configuration_is_compared_with_that_of_its_backend(two_backends: Path, tmp_path: Path) -> None:
    alone = build_small(tmp_path / "alone", ("a", "b", "c"))
    for pair, name, gone, new in (
        ((two_backends, alone), "fat / default", ("thin",), ()),
        ((alone, two_backends), "default / fat", (), ("thin",)),
    ):
        found = compared(*pair)
        (config,) = found.configs
        assert (found.configs_removed, found.configs_added) == (gone, new)
        assert config.config == name and config.equal


def test_rows_of_several_backends_are_compared_with_none(two_backends: Path, dataset: Path) -> None:
    change(dataset, lambda rows: rows["0_01"].update(backend="thin"))
    found = compared(two_backends, dataset)
    assert not found.configs and found.configs_added == ("default",)


def test_pixels_and_values(one_backend: Path, dataset: Path) -> None:
    def alter(rows: dict[str, StoredRow]) -> None:
        color = pixels(rows["0_01"], "color")
        color[20, 30, 0] ^= 64
        color[21, 30, 1] ^= 8
        put(rows["0_01"], "color", color)
        rows["0_02"]["iou"] -= 0.25
        rows["2_00"]["license"] = None
        stream = io.BytesIO()
        Image.open(io.BytesIO(rows["2_01"]["gt"]["bytes"])).save(stream, "PNG")
        rows["2_01"]["gt"]["bytes"] = stream.getvalue()
        put(rows["2_02"], "mask", pixels(rows["2_02"], "mask")[:-1])

    change(dataset, alter)
    whole = compared(one_backend, dataset)
    (found,) = whole.configs
    assert found.changed == 5
    assert found.values == {"iou": (1, ("0_02",)), "license": (1, ("2_00",))}
    images = {image.column: image for image in found.images}
    assert (images["color"].rows, images["color"].pixel_rows, images["color"].worst) == (1, 1, 64)
    assert images["color"].worst_mean == pytest.approx(72 / (96 * 96 * 4))
    assert images["color"].mean == pytest.approx(images["color"].worst_mean / 24)
    assert images["color"].worst_rows == ("0_01",)
    assert (images["gt"].rows, images["gt"].pixel_rows, images["gt"].worst) == (1, 0, 0)
    assert (images["mask"].rows, images["mask"].sizes) == (1, 1)
    assert [line for line in whole.lines() if "mask" in line] == ["  mask differs in size in 1 row"]
    assert found.iou is not None
    assert (found.iou.worse, found.iou.better, found.iou.most_fallen[0]) == (1, 0, "0_02")
    assert found.iou.mean[0] - found.iou.mean[1] == pytest.approx(0.25 / 24)


def test_rows_that_came_went_and_moved(one_backend: Path, dataset: Path) -> None:
    train, test = read_rows(shard(dataset)), read_rows(shard(dataset, "test"))
    hero = [row for row in train if row["character_id"] == "hero"]
    new = [row | {"uid": f"new_{row['view']:02d}", "character_id": "new"} for row in train[:4]]
    # In another order too: rows are found by their uid.
    write_rows(shard(dataset, "test"), [*reversed(hero), *test])
    write_rows(shard(dataset), [row for row in train if row["character_id"] not in ("hero", "0")] + new)
    (found,) = compared(one_backend, dataset).configs
    assert found.removed == ("0_00", "0_01", "0_02", "0_03")
    assert found.added == ("new_00", "new_01", "new_02", "new_03")
    assert found.moved == ("hero_00", "hero_01", "hero_02", "hero_03")
    assert (found.changed, found.equal) == (0, False)


def test_another_setting(one_backend: Path, tmp_path: Path) -> None:
    other = build_small(tmp_path / "d", ("0", "1"), views=2)
    found = compared(one_backend, other)
    assert found.settings["config.views"] == (4, 2)
    assert found.settings["planned"] == (7, 2)
    assert "setting config.views: 4 -> 2" in "\n".join(found.lines())
    assert not [key for key in found.settings if key.startswith(("fingerprint", "shards"))]


def test_a_uid_that_stands_twice(one_backend: Path, dataset: Path) -> None:
    write_rows(shard(dataset, "test"), [*read_rows(shard(dataset, "test")), *read_rows(shard(dataset))])
    with pytest.raises(SpecsiaError, match="stands twice"):
        compared(one_backend, dataset)


def test_the_command(one_backend: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(one_backend)
    assert specsia("diff", one_backend, folder).exit_code == 0
    change(folder, lambda rows: rows["0_01"].update(iou=0.5))
    result = specsia("diff", one_backend, folder, "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["equal"] is False
    assert told["configs"][0]["values"] == {"iou": [1, ["0_01"]]}
    assert "fell the most: 0_01" in specsia("diff", one_backend, folder).stdout
    trouble = specsia("diff", one_backend, folder / "nowhere")
    assert trouble.exit_code == 2
    assert trouble.stderr.count("\n") == 1


@pytest.mark.parametrize("trouble", [KeyboardInterrupt(), OSError(5, "Input/output error"), RuntimeError("a fault")])
def test_trouble_is_no_difference(one_backend: Path, trouble: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise trouble

    monkeypatch.setattr("specsia_build.dataset.diff.compare.diff", fail)
    assert specsia("diff", one_backend, one_backend).exit_code == 2
