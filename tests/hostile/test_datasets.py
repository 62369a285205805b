"""Damaged datasets, given to all commands that open one: a sentence or findings, nothing else changed."""

import json
import random
import shutil
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result

from specsia_build.dataset import schema
from specsia_build.dravie.runs import CHECKPOINTS_FOLDER
from tests.commands import specsia
from tests.dataset.small import StoredRow, build_small, read_rows, shard, write_rows
from tests.hostile.yard import Snapshot, snapshot

Damage = Callable[[Path], object]

DEEP = "[" * 100_000 + "]" * 100_000
_HEADER = struct.pack(">I4sIIBBBBB", 13, b"IHDR", 2**31 - 1, 9, 8, 6, 0, 0, 0)
HUGE_PNG = b"\x89PNG\r\n\x1a\n" + _HEADER + bytes(99)

SECRET = "a secret of this machine"


def card(*configs: tuple[str, str]) -> str:
    entries = [{"config_name": n, "data_files": [{"split": "train", "path": p}]} for n, p in configs]
    return f"---\nconfigs: {json.dumps(entries)}\n---\n"


def write(name: str, content: str | bytes) -> Damage:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data)


def cut(folder: Path) -> None:
    path = shard(folder, "train")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def rows_changed(how: Callable[[list[StoredRow]], object]) -> Damage:
    """Rows of the training split and of the test split."""

    def damage(folder: Path) -> None:
        for split in ("train", "test"):
            rows = read_rows(shard(folder, split))
            how(rows)
            write_rows(shard(folder, split), rows)

    return damage


def changed(**values: Any) -> Damage:
    """Values of one row of each."""
    return rows_changed(lambda rows: rows[-1].update(values))


def tables_changed(how: Callable[[pa.Table], pa.Table]) -> Damage:
    def damage(folder: Path) -> None:
        for path in (folder / schema.DATA).glob("*.parquet"):
            pq.write_table(how(pq.read_table(path)), path)

    return damage


def texts(table: pa.Table) -> pa.Table:
    """Texts in place of pictures."""
    return table.set_column(table.column_names.index("color"), "color", pa.array(["x"] * len(table)))


def linked_out(name: str) -> Damage:
    def damage(folder: Path) -> None:
        outside = folder.parent / "outside" / Path(name).name
        outside.parent.mkdir(exist_ok=True)
        target = folder / name
        outside.write_bytes(target.read_bytes() + (SECRET.encode() if name.endswith(".md") else b""))
        target.unlink()
        target.symlink_to(outside)

    return damage


def flipped(seed: int) -> Damage:
    """Bytes of any file changed at random."""

    def damage(folder: Path) -> None:
        chance = random.Random(seed)
        path = chance.choice(sorted(p for p in folder.rglob("*") if p.is_file()))
        data = bytearray(path.read_bytes())
        for _ in range(chance.choice((1, 3, 20))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)

    return damage


def no_picture(rows: list[StoredRow]) -> None:
    rows[0]["gt"]["bytes"], rows[1]["color"]["bytes"] = None, HUGE_PNG


ALL = "data/*.parquet"


WRONG_VALUES = '{"specsia": 3, "config": {"views": -1, "size": "x"}}'
OUTSIDE = f"{'0' * 64}  ../../../etc/passwd\n{'1' * 64}  /etc/passwd\n"
DATASETS: dict[str, Damage] = {
    "card of configurations outside": write(schema.CARD, card(("../../x", ALL), ("b", ALL))),
    "card of control characters": write(schema.CARD, card(("\x1b]0;x\x07", ALL), ("b", ALL))),
    "card, nested": write(schema.CARD, f"---\nconfigs: {DEEP[:4000]}\n---\n"),
    "card, not UTF-8": write(schema.CARD, b"---\nconfigs: \xff\xfe\n---\n"),
    "card is a link out": linked_out(schema.CARD),
    "shard is a link out": lambda folder: linked_out(f"data/{shard(folder).name}")(folder),
    "build.json, nested": write(schema.BUILD_FILE, DEEP),
    "build.json of wrong values": write(schema.BUILD_FILE, WRONG_VALUES),
    "splits.json of wrong types": write(schema.SPLITS_FILE, '{"train": [1], "validation": {}, "test": null}'),
    "SHA256SUMS of files outside": write(schema.SUMS_FILE, OUTSIDE),
    "shard, cut off": cut,
    "shards without rows": tables_changed(lambda table: table.slice(0, 0)),
    "uid is null": changed(uid=None),
    "character leads out": lambda folder: changed(character_id=str(folder.parent / "elsewhere"))(folder),
    "view is huge": changed(view=2**31 - 1),
    "pictures are texts": tables_changed(texts),
    "uid twice": rows_changed(lambda rows: rows.append(rows[0])),
    "pictures missing and false": rows_changed(no_picture),
}


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three characters of four views; not to be changed."""
    return build_small(tmp_path_factory.mktemp("sound") / "dataset", ("a", "b", "c"))


@pytest.fixture(scope="session")
def trained(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was stopped after the first of its two steps; not to be changed."""
    top = tmp_path_factory.mktemp("trained")
    arguments = ("train", str(sound), "--out", str(top / "run"), "--steps", "2", "--checkpoint-every", "1")
    small = ("--set", "batch=1", "--set", "patch=16", "--device", "cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(top / "cache"))
        specsia(*arguments, *small)
    shutil.rmtree(top / "run" / CHECKPOINTS_FOLDER / "0000002")
    return top / "run"


@pytest.fixture(autouse=True)
def at_peace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches of its own, no token, no network, a folder of its own to work in, and short adaptations."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("specsia_build.dravie.adapt.adapt.WITHHELD", 1)


def commands(dataset: Path, run: Path, out: Path) -> dict[str, Sequence[str]]:
    """Each command that opens a dataset, by its name, everything that it writes below `out`."""
    small = ("--set", "batch=1", "--device", "cpu")
    steps = ("--adapt-steps", "1", "--rows", "line", "--device", "cpu")
    alone, rows = ("--workers", "1"), ("--layout", "specsia-15k-rows")
    return {
        "verify": ("verify", str(dataset), *alone),
        "export": ("export", str(dataset), *rows, "--out", str(out / "rows"), *alone),
        "diff": ("diff", str(dataset), str(dataset)),
        "report": ("report", str(dataset), "--out", str(out / "report.html")),
        "enhance": ("enhance", str(run), str(dataset), "--out", str(out / "enhanced"), "--device", "cpu"),
        "evaluate": ("evaluate", str(run), str(dataset), "--out", str(out / "scores"), *steps),
        "train": ("train", str(dataset), "--out", str(out / "run"), "--steps", "1", *small),
        "push": ("push", str(dataset), "--repo", "tester/pairs", "--dry-run"),
    }


def elsewhere(top: Path) -> Snapshot:
    """All that lies below a folder, but for what a command may write to."""
    return {name: facts for name, facts in snapshot(top).items() if not name.startswith((b"out", b"cache"))}


def judged(arguments: Sequence[str], top: Path) -> Result:
    """Run a command, which must end with 0, findings or one sentence, and write into `out` alone."""
    before = elsewhere(top)
    result = specsia(*arguments, code=None)
    shown = f"{arguments[0]}: {result.output[-800:]}"
    assert result.exit_code in (0, 1, 2), shown
    assert SECRET not in result.output, shown
    assert all(line.isprintable() and len(line) < 2000 for line in result.output.split("\n")), shown
    sentences = [line for line in result.stderr.splitlines() if line.startswith("specsia: ")]
    assert len(sentences) <= 1, shown
    if result.exit_code == 2 or (result.exit_code == 1 and arguments[0] not in ("verify", "diff")):
        assert sentences, shown
    assert elsewhere(top) == before, shown
    return result


@pytest.mark.parametrize("damage", DATASETS)
def test_damaged_dataset(damage: str, sound: Path, trained: Path, tmp_path: Path, full: bool) -> None:
    folder = Path(shutil.copytree(sound, tmp_path / "given" / "dataset"))
    DATASETS[damage](folder)
    out = tmp_path / "out"
    outcomes = {}
    for name, arguments in commands(folder, trained, out).items():
        # Two fits of models a dataset take longest.
        if name != "evaluate" or full or list(DATASETS).index(damage) % 4 == 0:
            outcomes[name] = judged(arguments, tmp_path).exit_code
    assert outcomes["verify"] == 1
    assert "link" not in damage or outcomes["push"] == 1


@pytest.mark.seeds(8, 200)
def test_flipped_bytes(seed: int, sound: Path, trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(sound, tmp_path / "given" / "dataset"))
    flipped(seed)(folder)
    out = tmp_path / "out"
    for name in ("verify", "export", "diff", "report", "enhance", "push"):
        judged(commands(folder, trained, out)[name], tmp_path)
