"""Characters that a run has seen and is not scored on; the `pretrained` model."""

import hashlib
import re
import shutil
from pathlib import Path

import pytest
from click.testing import Result

from specsia_build import load_model
from specsia_build.dataset.pairs import decode_pair, pair_columns
from specsia_build.dataset.reading import open_dataset
from specsia_build.dataset.schema import IMAGE_COLUMNS
from specsia_build.dravie.adapt.frontal import find_frontal
from specsia_build.dravie.metrics import view_scores
from specsia_build.dravie.model.checkpoint import MODEL_FILE, load_generator
from specsia_build.dravie.runs import SEEN_FILE, SHIPPED_RUN, checkpoints, read_run_config, read_seen
from specsia_build.errors import SpecsiaError
from specsia_build.files.records import read_json
from tests.commands import specsia
from tests.dataset.small import StoredRow, change, read_rows, shard
from tests.dravie.pairs import drawn_pair, write_run
from tests.dravie.repair.test_enhance import write_frames
from tests.shapes import lines_of


@pytest.fixture(scope="module")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained on `c` of both backends and watched by `a`; not to be changed."""
    run = tmp_path_factory.mktemp("seen") / "run"
    options = ("--backend", "fat", "--backend", "thin", "--device", "cpu")
    specsia("train", dataset, "--out", run, "--steps", 1, "--set", "batch=2", *options)
    return run


def contents(dataset: Path, config: str, split: str) -> set[str]:
    opened = open_dataset(dataset)
    return {decode_pair(row).content for row in opened.stream(config, split, pair_columns(opened))}


def test_training_records_characters(dataset: Path, trained: Path) -> None:
    seen = read_seen(trained)
    assert seen.training is not None and set(seen.training) == {"fat", "thin"}
    for config in ("fat", "thin"):
        assert set(seen.training[config]) == {"c"}
        assert set(seen.training[config]["c"]) == contents(dataset, config, "train")
    assert set(seen.validation) == {"a"}
    assert set(seen.validation["a"]) <= contents(dataset, "fat", "validation")
    assert not seen.adaptation
    assert read_seen(checkpoints(trained)[-1]) == seen
    assert read_seen(trained.parent / "none").training is None


def test_adaptation_adds_character(dataset: Path, trained: Path, tmp_path: Path) -> None:
    options = ("--dataset", dataset, "--steps", 1, "--backend", "thin", "--device", "cpu")
    first, second = tmp_path / "first", tmp_path / "second"
    specsia("adapt", trained, *options, "--character", "b", "--out", first)
    specsia("adapt", first, *options, "--character", "a", "--out", second)
    seen = read_seen(second)
    assert (seen.training, seen.validation) == (read_seen(trained).training, read_seen(trained).validation)
    opened = open_dataset(dataset)
    assert seen.adaptation == {i: (find_frontal(opened, i, "thin").pair.content,) for i in ("a", "b")}


def test_damaged_record(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"training": {}}', '{"training": [1], "validation": {}, "adaptation": {}}'):
        (tmp_path / SEEN_FILE).write_text(text)
        with pytest.raises(SpecsiaError, match=SEEN_FILE):
            read_seen(tmp_path)


def test_content_excludes_contour() -> None:
    thick, thin = drawn_pair(thickness=4, grey=90, character="d"), drawn_pair(thickness=1)
    assert (thick.gt != thin.gt).any() and thick.content == thin.content
    assert drawn_pair(colour=(230, 120, 91)).content != thin.content
    assert drawn_pair(shift=3).content == thin.content


def evaluate(run: Path, dataset: Path, out: Path, *more: str, code: int = 0) -> Result:
    few = ("--rows", "raw", "--adapt-steps", 1, "--backend", "fat", "--device", "cpu")
    return specsia("evaluate", run, dataset, "--out", out, *few, *more, code=code)


def test_no_scores_on_training_data(dataset: Path, trained: Path, tmp_path: Path) -> None:
    evaluate(trained, dataset, tmp_path / "test")
    refused = evaluate(trained, dataset, tmp_path / "out", "--split", "train", code=2)
    assert not (tmp_path / "out").exists() and ": c." in refused.stderr


def test_other_id_does_not_hide_character(dataset: Path, trained: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "renamed"
    shutil.copytree(dataset, renamed)
    learnt = read_rows(shard(dataset, "train", "fat"))

    def exchange(rows: dict[str, StoredRow]) -> None:
        for row, other in zip(rows.values(), learnt, strict=True):
            row |= {name: other[name] for name in IMAGE_COLUMNS}

    change(renamed, exchange, "test", "fat")
    assert "b (there called c)" in evaluate(trained, renamed, tmp_path / "out", code=2).stderr


CARD = SHIPPED_RUN / "MODEL_CARD.md"
MOST_BYTES = 1_200_000


def trained_on() -> set[str]:
    return {character for of in (read_seen(SHIPPED_RUN).training or {}).values() for character in of}


def weights_file() -> Path:
    return checkpoints(SHIPPED_RUN)[-1] / MODEL_FILE


def test_improves_an_unseen_figure() -> None:
    pair = drawn_pair(size=256)
    model, before = load_model("pretrained", "cpu"), view_scores(pair.z, pair)["l1"]
    scores = [view_scores(model.enhance(pair, frontal=front), pair)["l1"] for front in (None, pair)]
    assert scores[0] < 0.95 * before and scores[1] < 0.3 * before


def test_folder_named_pretrained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_frames(tmp_path / "frames", 1)
    (tmp_path / "pretrained").mkdir()
    (tmp_path / "pretrained" / "others.pth").touch()
    specsia("enhance", "pretrained", folder, "--out", "theirs")
    write_run(tmp_path / "pretrained")
    assert "./pretrained" in specsia("enhance", "pretrained", folder, "--out", "unclear", code=2).stderr
    specsia("enhance", "./pretrained", folder, "--out", "own")
    theirs, own = (Path(name, "8.png").read_bytes() for name in ("theirs", "own"))
    assert theirs != own


def test_weights_small_whole_and_float16() -> None:
    model, config, _ = load_generator(SHIPPED_RUN)
    assert config.sees_drawing and config.architecture == "tiny"
    assert len(checkpoints(SHIPPED_RUN)) == 1
    assert sum(p.numel() for p in model.parameters()) * 2 < weights_file().stat().st_size < MOST_BYTES
    assert all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values())
    assert {p.suffix for p in SHIPPED_RUN.rglob("*") if p.is_file()} == {".json", ".safetensors", ".md"}


def test_card_describes_weights_and_characters() -> None:
    card, settings = CARD.read_text(encoding="utf-8"), read_run_config(SHIPPED_RUN)
    assert f"`{hashlib.sha256(weights_file().read_bytes()).hexdigest()}`" in card
    assert settings is not None and f"{settings.steps:,} steps" in card
    assert settings.configs == ("relief", "fusion", "model-sheet")
    seen = read_seen(SHIPPED_RUN)
    real = {name for name in trained_on() | set(seen.validation) if not name.startswith("sample-")}
    files = read_json(SHIPPED_RUN / "files.json")
    listed = {name for characters in files.values() for name in characters}
    assert real and real <= set(re.findall(r"`([a-z0-9_]+)`", card)) | listed
    assert all(f"`{repository}`" in card for repository in files if "/" in repository)
    assert f"{sum(name.startswith('sample-') for name in trained_on())} procedural" in card


def test_held_out_was_never_seen(characters_dir: Path) -> None:
    known = {line["id"]: line for line in lines_of(characters_dir / "everything.jsonl")}
    learnt = {name for name in trained_on() if not name.startswith("sample-")}
    both = [known[name] for name in learnt & known.keys()]
    assert {(line["split"], line["license"]) for line in both} == {("train", "CC0-1.0")}
