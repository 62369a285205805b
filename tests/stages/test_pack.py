"""Packing: kept and rewritten shards, killed and damaged packs."""

import hashlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from specsia_build import png
from specsia_build.config import PAIRS, BuildConfig
from specsia_build.dataset import parquet, places, schema, splits
from specsia_build.dataset.checksums import parse_sums
from specsia_build.dataset.layers import view_file
from specsia_build.dataset.reading import open_dataset
from specsia_build.errors import SpecsiaError
from specsia_build.layouts.packing import Packed
from specsia_build.layouts.part import Facts, Member, Pictures
from specsia_build.stages import pack, render
from specsia_build.stages.members import member, pictures
from specsia_build.stages.stage import Artefact, CharacterStage, seal
from tests.artefacts import pack_pairs
from tests.checksums import file_sums, write_sums

VIEWS = 2


def image(channels: int, *seed: object) -> bytes:
    """Noise, so that every image has another digest and about the same size."""
    number = int.from_bytes(hashlib.sha256(repr(seed).encode()).digest()[:4], "big")
    return png.encode(np.random.default_rng(number).integers(0, 256, (8, 8, channels), np.uint8))


class Store:
    """Artefacts of characters that nobody rendered."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.looks: dict[str, int] = {}
        self.most: float = np.inf

    def load(self, member: Member) -> Pictures:
        if len(self.loaded) >= self.most:
            raise KeyboardInterrupt
        self.loaded.append(member.id)
        earlier = {stage: self.make(stage, member.id) for stage in pack.PACK.earlier}
        return pictures(member.id, member.backend, earlier)

    def member(self, character_id: str) -> Member:
        metas = {stage: self.make(stage, character_id).meta for stage in pack.PACK.earlier}
        return member(character_id, "relief", metas)

    def make(self, stage: CharacterStage, character_id: str) -> Artefact:
        look = self.looks.get(character_id, 0)
        truth, result = (schema.GT, schema.GT_MASK), (schema.COLOR, schema.MASK, schema.POS, schema.EDGE)
        rgba = (schema.GT, schema.COLOR, schema.POS)
        files = {
            view_file(name, view): image(4 if name in rgba else 1, character_id, name, view, look)
            for name in (truth if stage == render.RENDER else result)
            for view in range(VIEWS)
        }
        meta = {
            "views": VIEWS,
            "outline_px": 2,
            "outline_grey": 9,
            "outline_rgb": [[9, 9, 9]] * VIEWS,
            "license": "CC0-1.0",
            "source": "a test",
            "boxes": [[[-0.5] * 3, [0.5] * 3]] * VIEWS,
            "iou": [0.5] * VIEWS,
            "mean_iou": 0.5,
            "frontal_iou_before": 0.4,
        }
        return seal(
            Artefact(character_id, files, meta), stage.name, f"{stage.name} {character_id} {look}", {}
        )


CONFIG = BuildConfig(source="noise", views=VIEWS, size=32)


def facts_of(store: Store, split_of: dict[str, str]) -> Facts:
    return Facts(
        build=pack.build_record(CONFIG, "noise", PAIRS, pack.PACK.earlier),
        source="noise",
        planned=len(split_of),
        quarantined={},
        splits=split_of,
        members=[store.member(i) for i in sorted(split_of)],
    )


@pytest.fixture
def split_of(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Splits of 40 characters, in shards of about eight."""
    store = Store()
    one = store.member("0").image_bytes
    monkeypatch.setattr(parquet, "SHARD_BYTES", 8 * one + one // 2)
    return splits.assign(map(str, range(40)), {})


def run(store: Store, split_of: dict[str, str], folder: Path) -> Packed:
    """Pack, with the records of the parts in a folder beside it."""
    store.loaded.clear()
    state = folder.parent / "state" / f"{folder.name}.jsonl"
    return pack_pairs(facts_of(store, split_of), store.load, folder, state)


def sums(folder: Path) -> dict[str, str]:
    return parse_sums((folder / schema.SUMS_FILE).read_text())[0]


def test_sums_match_files(split_of: dict[str, str], tmp_path: Path) -> None:
    done = run(Store(), split_of, tmp_path / "dataset")
    assert done.kept == 0 and done.written >= 6
    assert sums(tmp_path / "dataset") == file_sums(tmp_path / "dataset")


def test_grown_dataset_keeps_shards(split_of: dict[str, str], tmp_path: Path) -> None:
    store = Store()
    run(store, split_of, tmp_path / "dataset")
    before = {path.stat().st_ino for path in (tmp_path / "dataset" / "data").iterdir()}
    grown = splits.grown(split_of, ["00", "5x", *map(str, range(50))], {})
    done = run(store, grown, tmp_path / "dataset")
    kept = {path.stat().st_ino for path in (tmp_path / "dataset" / "data").iterdir()} & before
    # All but the last shard of train, though the number of shards is in the name of each.
    assert len(kept) == done.kept == len(before) - 1
    old_train = [i for i in split_of if split_of[i] == "train"]
    assert not set(store.loaded) & set(old_train[:20])
    run(store, grown, tmp_path / "fresh")
    assert sums(tmp_path / "dataset") == sums(tmp_path / "fresh")
    assert open_dataset(tmp_path / "dataset").splits("default")["train"] == VIEWS * (len(old_train) + 12)


def test_damaged_shard_is_not_kept(split_of: dict[str, str], tmp_path: Path) -> None:
    store = Store()
    run(store, split_of, tmp_path / "dataset")
    before = sums(tmp_path / "dataset")
    shard = sorted((tmp_path / "dataset" / "data").glob("train-*"))[1]
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 1
    shard.write_bytes(data)
    assert run(store, split_of, tmp_path / "dataset").written == 1
    assert sums(tmp_path / "dataset") == file_sums(tmp_path / "dataset") == before


@pytest.mark.parametrize("ids", [range(40), range(50)])
def test_interrupted_pack_goes_on(split_of: dict[str, str], tmp_path: Path, ids: range) -> None:
    """Also if the dataset has grown meanwhile, and with it the number of shards in their names."""
    store, folder = Store(), tmp_path / "dataset"
    store.most = 20
    with pytest.raises(KeyboardInterrupt):
        run(store, split_of, folder)
    assert not folder.exists() and (tmp_path / ".dataset.partial" / "data").is_dir()
    store.most, grown = np.inf, splits.grown(split_of, [*map(str, ids)], {})
    assert run(store, grown, folder).kept
    run(store, grown, tmp_path / "fresh")
    assert sums(folder) == sums(tmp_path / "fresh") == file_sums(folder)
    assert {path.name for path in tmp_path.iterdir()} == {"dataset", "fresh", "state"}


@pytest.mark.parametrize("step", range(3))
def test_killed_pack_is_old_or_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    usual, left = Path.replace, [step]

    def replace(path: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return usual(path, target)

    folder, finished = tmp_path / "dataset", tmp_path / "finished"
    for each, text in ((folder, "old"), (finished, "new")):
        each.mkdir()
        for file in ("a", "b"):
            (each / file).write_text(text)
        write_sums(each)
    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(Path, "replace", replace)
        places.put(finished, folder)
    places.recover(folder)
    assert [(folder / name).read_text() for name in ("a", "b")] == ["old" if step < 2 else "new"] * 2
    assert "a" in places.listed_names(folder)
    assert not (tmp_path / ".dataset.replaced").exists()


def test_foreign_folder_is_kept(split_of: dict[str, str], tmp_path: Path) -> None:
    store, folder = Store(), tmp_path / "dataset"
    run(store, split_of, folder)
    before = sums(folder)
    (folder / "empty").mkdir()
    (folder / "link").symlink_to(tmp_path)
    (folder / "data" / "notes.txt").write_text("mine")
    store.looks["7"] = 1
    with pytest.raises(SpecsiaError, match=r"dataset holds data/notes\.txt, link, "):
        run(store, split_of, folder)
    assert sums(folder) == before
    assert (folder / "data" / "notes.txt").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"dataset", "state"}
    (folder / "data" / "notes.txt").rename(folder / "data" / ".DS_Store")
    (folder / "link").unlink()
    run(store, split_of, folder)
    assert sums(folder) != before
    assert not (folder / "data" / ".DS_Store").exists()
