"""`specsia diff`: settings, columns and rows that differ."""

import io
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from specsia_build.dataset.diff import DatasetDiff, diff
from specsia_build.dataset.reading import open_dataset
from specsia_build.errors import SpecsiaError, UsageError
from tests.commands import specsia
from tests.dataset.small import StoredRow, build_small, change, pixels, put, read_rows, shard, write_rows
from tests.published.figures import write_rows as write_rows_as_published


def compared(one: Path, two: Path) -> DatasetDiff:
    return diff(open_dataset(one), open_dataset(two))


def test_a_copy_is_equal(one_backend: Path, dataset: Path) -> None:
    change(dataset, lambda rows: rows["0_01"].update(yaw_deg=math.nan))
    assert compared(dataset, dataset).equal
    calls: list[tuple[int, int]] = []
    opened = open_dataset(one_backend)
    assert diff(opened, opened, lambda *done: calls.append(done)).equal
    assert calls[-1] == (48, 48)


def test_configurations_match_by_name(two_backends: Path, one_backend: Path, tmp_path: Path) -> None:
    assert [c.config for c in compared(two_backends, two_backends).configs] == ["fat", "thin"]
    result = compared(two_backends, one_backend)
    assert result.settings["config.backends"] == (["fat", "thin"], ["fat"])
    assert result.configs_apart == ("default", "fat", "thin")
    assert not result.equal
    rows = write_rows_as_published(tmp_path / "published", splits={"test": (5,)})
    with pytest.raises(UsageError):
        compared(one_backend, rows)


def test_values_and_pixels(one_backend: Path, dataset: Path) -> None:
    def alter(rows: dict[str, StoredRow]) -> None:
        color = pixels(rows["0_01"], "color")
        color[20, 30, 0] ^= 64
        color[21, 30, 1] ^= 8
        put(rows["0_01"], "color", color)
        rows["0_02"]["iou"] -= 0.25
        stream = io.BytesIO()
        Image.open(io.BytesIO(rows["2_01"]["gt"]["bytes"])).save(stream, "PNG")
        rows["2_01"]["gt"]["bytes"] = stream.getvalue()
        put(rows["2_02"], "mask", pixels(rows["2_02"], "mask")[:-1])

    change(dataset, alter)
    (config,) = compared(one_backend, dataset).configs
    assert config.changed == {"0_01": ["color"], "0_02": ["iou"], "2_01": ["gt"], "2_02": ["mask"]}


def test_added_removed_and_moved_rows(one_backend: Path, dataset: Path) -> None:
    train, test = read_rows(shard(dataset)), read_rows(shard(dataset, "test"))
    hero = [row for row in train if row["character_id"] == "hero"]
    new = [row | {"uid": f"new_{row['view']:02d}", "character_id": "new"} for row in train[:4]]
    # In another order too: rows are found by their uid.
    write_rows(shard(dataset, "test"), [*reversed(hero), *test])
    write_rows(shard(dataset), [row for row in train if row["character_id"] not in ("hero", "0")] + new)
    (config,) = compared(one_backend, dataset).configs
    assert config.removed == ["0_00", "0_01", "0_02", "0_03"]
    assert config.added == ["new_00", "new_01", "new_02", "new_03"]
    assert sorted(config.moved) == ["hero_00", "hero_01", "hero_02", "hero_03"]
    assert not config.changed


def test_settings_by_full_name(one_backend: Path, tmp_path: Path) -> None:
    result = compared(one_backend, build_small(tmp_path / "d", ("0", "1"), views=2))
    assert (result.settings["config.views"], result.settings["planned"]) == ((4, 2), (7, 2))
    assert "setting config.views: 4 -> 2" in result.lines()
    assert not [name for name in result.settings if name.startswith(("fingerprint", "shards"))]


def test_repeated_uid(one_backend: Path, dataset: Path) -> None:
    write_rows(shard(dataset, "test"), [*read_rows(shard(dataset, "test")), *read_rows(shard(dataset))])
    write_rows(shard(dataset), read_rows(shard(dataset)) * 2)
    with pytest.raises(SpecsiaError):
        compared(one_backend, dataset)


def test_exit_codes(one_backend: Path, copied: Callable[[Path], Path]) -> None:
    folder = copied(one_backend)
    specsia("diff", one_backend, folder)
    change(folder, lambda rows: rows["0_01"].update(iou=0.5))
    result = specsia("diff", one_backend, folder, "--json", code=1)
    assert "time" not in result.stderr
    assert json.loads(result.stdout)["configs"][0]["changed"] == {"0_01": ["iou"]}
    specsia("diff", one_backend, folder / "nowhere", code=2)
