"""`verify` and `diff` on rows and tree of the published layout, and commands on bad ones."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specsia_build.dataset.diff import diff
from specsia_build.dataset.reading import open_dataset
from specsia_build.dataset.verify.check import verify
from tests.commands import specsia
from tests.dataset.small import failed
from tests.published import figures
from tests.published.figures import Pictures
from tests.published.test_reading import FOREIGN


@pytest.mark.parametrize("layout", ["rows", "tree"])
def test_right_ones_pass(layout: str, request: pytest.FixtureRequest) -> None:
    where = request.getfixturevalue(layout)
    report = verify(where)
    assert not failed(report)
    assert report == verify(where, workers=2)
    assert (report.rows, report.characters) == (40, 4)
    assert {"grounds", "edge", "position", "views", "splits"} <= {check.name for check in report.checks}


def test_a_tree_equals_its_rows(rows: Path, tree: Path, tmp_path: Path) -> None:
    assert diff(open_dataset(rows), open_dataset(tree)).equal

    def darker(uid: str, made: Pictures) -> Pictures:
        return made if uid != "7_03" else {**made, "gt": made["gt"] // 2}

    other = figures.write_rows(tmp_path / "hub", darker)
    (config,) = diff(open_dataset(tree), open_dataset(other)).configs
    assert config.changed == {"7_03": ["gt"]}


CHECK_OF = dict.fromkeys(("depth from the back", "mirrored", "up in green"), "position")
CHECK_OF |= dict.fromkeys(("color on grey", "pos on grey", "gt on white"), "grounds")


@pytest.mark.parametrize("fault", FOREIGN)
def test_faults_of_every_row(fault: str, tmp_path: Path) -> None:
    where = figures.write_rows(tmp_path / "hub", FOREIGN[fault][0], splits={"test": (5,)})
    assert CHECK_OF.get(fault, "images") in failed(verify(where))


def _one(name: str, how: Callable[[figures.Array], figures.Array]) -> figures.Change:
    """Change one picture of one row."""

    def change(uid: str, made: Pictures) -> Pictures:
        return {**made, name: how(made[name].copy())} if uid == "5_04" else made

    return change


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (_one("edge", lambda edge: np.full_like(edge, 255)), "edge"),
        (_one("edge", lambda edge: edge | np.array([255, 0, 0], np.uint8)), "edge"),
        (_one("edge", lambda edge: edge[..., 0]), "images"),
        (_one("mask", lambda mask: np.minimum(mask, 200)), "grounds"),
        (_one("mask", lambda mask: np.triu(mask)), "grounds"),
        (_one("gt", lambda gt: gt[:-1]), "images"),
    ],
)
def test_faults_of_one_row(change: figures.Change, check: str, tmp_path: Path) -> None:
    report = verify(figures.write_rows(tmp_path / "hub", change, splits={"test": (5,)}))
    assert check in failed(report)
    assert {problem.where for problem in report.problems if problem.check == check} == {"5_04"}


def _edit(where: Path, how: Callable[[pa.Table], pa.Table]) -> None:
    path = where / "data" / "test-00000-of-00001.parquet"
    table = pq.read_table(path)
    pq.write_table(how(table).replace_schema_metadata(table.schema.metadata), path)


def _renamed(table: pa.Table, uid: str) -> pa.Table:
    uids = ["5_03", *table["uid"].to_pylist()[1:]] if uid == "twice" else [uid, *table["uid"].to_pylist()[1:]]
    return table.set_column(0, "uid", pa.array(uids))


@pytest.mark.parametrize(
    ("how", "check"),
    [
        (lambda table: table.slice(1), "views"),
        (lambda table: table.take([1, 0, *range(2, 10)]), "views"),
        (lambda table: _renamed(table, "twice"), "views"),
        (lambda table: _renamed(table, "hero_00"), "views"),
        (lambda table: _renamed(table, "3_10"), "splits"),
        (lambda table: table.select(["uid", "color", "mask", "pos", "edge", "gt"]), "schema"),
    ],
)
def test_faults_of_rows(how: Callable[[pa.Table], pa.Table], check: str, rows: Path, tmp_path: Path) -> None:
    where = Path(shutil.copytree(rows, tmp_path / "hub"))
    _edit(where, how)
    assert check in failed(verify(where))


def _drop_view(tree: Path) -> None:
    shutil.rmtree(tree / "3_04" / "mesh")


def _edited(name: str, how: Callable[[Any], Any]) -> Callable[[Path], object]:
    """Change a list of a tree."""

    def change(tree: Path) -> None:
        path = tree / "splits" / f"{name}.json"
        path.write_text(json.dumps(how(json.loads(path.read_text()))))

    return change


def _swap_textures(tree: Path) -> None:
    a, b = (tree / f"3_0{k}" / "char" / "texture.png" for k in (1, 2))
    data = a.read_bytes()
    a.write_bytes(b.read_bytes())
    b.write_bytes(data)


@pytest.mark.parametrize(
    ("plant", "check"),
    [
        (_drop_view, "files"),
        (lambda tree: figures.write_lists(tree, {**figures.SPLITS, "train": (3,)}), "splits"),
        (_edited("split_chars", lambda lists: {**lists, "test": ["6"]}), "splits"),
        (_edited("train_uids", lambda uids: uids[::-1]), "views"),
        (_edited("test_uids", lambda uids: ["3_00", *uids]), "splits"),
        (_swap_textures, "grounds"),
    ],
)
def test_faults_of_a_tree(plant: Callable[[Path], None], check: str, tmp_path: Path) -> None:
    where = figures.write_tree(tmp_path / "tree", linked=False)
    plant(where)
    assert check in failed(verify(where))


def test_bad_sets_end_with_a_sentence(rows: Path, tmp_path: Path) -> None:
    three, uid, cut = (Path(shutil.copytree(rows, tmp_path / name)) for name in ("three", "uid", "cut"))
    for split in figures.SPLITS:
        path = three / "data" / f"{split}-00000-of-00001.parquet"
        pq.write_table(pq.read_table(path).select(["uid", "color", "gt"]), path)
    _edit(uid, lambda table: _renamed(table, "noview"))
    shard = cut / "data" / "train-00000-of-00001.parquet"
    shard.write_bytes(shard.read_bytes()[:-1000])
    grey = figures.write_rows(tmp_path / "grey", FOREIGN["color on grey"][0], splits={"test": (5,)})
    for where, code in ((three, 2), (uid, 1), (cut, 1), (grey, 1)):
        result = specsia("report", where, "--out", tmp_path / "page.html", code=code)
        assert "Traceback" not in result.stderr
        assert len([line for line in result.stderr.splitlines() if line.startswith("specsia:")]) == 1
    for where in (uid, cut):
        specsia("verify", where, code=1)


def test_commands_read_a_tree(tree: Path, tmp_path: Path) -> None:
    specsia("verify", tree)
    specsia("report", tree, "--out", tmp_path / "page.html")
    specsia("sheet", tree, "--out", tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 10_000
