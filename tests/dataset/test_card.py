"""The dataset card: true content, valid YAML for the Hub, and licences that allow publication."""

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Features, load_dataset_builder
from datasets.info import DatasetInfosDict
from huggingface_hub import DatasetCard, DatasetCardData

from specsia_build.config import BuildConfig, PosFrame, read_settings, result_settings, with_settings
from specsia_build.dataset import schema
from specsia_build.dataset.licences import forbids, redistribution_problems, spdx_id
from specsia_build.layouts.pairs.card import write_card
from specsia_build.layouts.part import Facts, Member
from specsia_build.pipeline.run import RunPaths
from tests.layouts.clip_frames import member

BUILD: dict[str, Any] = {"specsia": "9.9", "config": result_settings(BuildConfig())}


def pair(character: str, rows: int, mean: float, before: float, backend: str = "relief") -> Member:
    return member(character, character, rows, backend, mean_iou=mean, frontal_before=before)


PAIRS = [pair("a", 10, 0.9, 0.97), pair("b", 10, 0.8, 0.96), pair("c", 10, 0.5, 0.98)]


def card_of(members: Sequence[Member] = PAIRS, build: Mapping[str, Any] = BUILD) -> str:
    split_of = {member.character: "test" if member.character == "c" else "train" for member in members}
    facts = Facts(build, "sample:3", 4, {"": 1}, split_of, members, sees_ground_truth=["fusion"])
    return write_card(facts, build, None)


def licensed(licenses: Sequence[tuple[str | None, str | None]]) -> list[Member]:
    return [
        member(str(number), str(number), 10, "relief", license=license_, credit=credit)
        for number, (license_, credit) in enumerate(licenses)
    ]


def fields(card: str) -> dict[str, Any]:
    loaded: dict[str, Any] = DatasetCard(card).data.to_dict()
    return loaded


def test_one_backend() -> None:
    card = card_of()
    told = fields(card)
    assert told["license"] == "cc0-1.0"
    files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in ("train", "test")]
    assert told["configs"] == [{"config_name": "default", "data_files": files}]
    assert told["size_categories"] == ["n<1K"]
    assert "| relief | test | 1 | 10 |" in card
    assert "4 characters were asked for; quarantined and left out: 1 before any backend." in card
    assert "| relief | 0.733 | 0.500 | 0.800 | 0.970 |" in card
    assert "| CC0-1.0 | made by hand | 3 |" in card
    assert 'load_dataset("PATH_OR_REPO")' in card


def test_configuration_of_each_backend() -> None:
    fusion = [pair("a", 500, 0.9, 0.9, "fusion"), pair("b", 500, 0.8, 0.8, "fusion")]
    card = card_of([*fusion, pair("a", 10, 0.7, 0.7)])
    told = fields(card)
    defaults = [(c["config_name"], c.get("default")) for c in told["configs"]]
    assert defaults == [("fusion", True), ("relief", None)]
    assert told["configs"][1]["data_files"] == [{"split": "train", "path": "data/relief/train-*.parquet"}]
    assert told["size_categories"] == ["1K<n<10K"]
    assert 'load_dataset("PATH_OR_REPO", "fusion")' in card
    assert "It sees the ground truth." in card
    assert "| fusion | 0.850 | 0.800 | 0.850 | 0.850 |" in card


@pytest.mark.parametrize(
    ("licenses", "wanted"),
    [
        ([("MIT", None)], {"license": "mit"}),
        ([(None, None)], {"license": "unknown"}),
        ([("Mine 1.0", None)], {"license": "other", "license_name": "mine-1.0"}),
        ([("LicenseRef-Studio", None)], {"license": "other", "license_name": "licenseref-studio"}),
        ([("CC BY-NC 4.0", None)], {"license": "cc-by-nc-4.0"}),
        ([("GPL-3.0-only", None)], {"license": "gpl-3.0"}),
        ([("MIT", None), ("CC0-1.0", None), ("cc0", "x")], {"license": ["cc0-1.0", "mit"]}),
        ([("MIT", None), (None, None)], {"license": "other", "license_name": "mixed"}),
    ],
)
def test_licences(licenses: list[tuple[str | None, str | None]], wanted: dict[str, str]) -> None:
    card = card_of(licensed(licenses))
    told = fields(card)
    assert {name: told[name] for name in wanted} == wanted
    unclear = [kind for kind, _ in licenses if kind in (None, "Mine 1.0")]
    assert ("This dataset must not be shared as it is: it holds 1 character " in card) == bool(unclear)


@pytest.mark.parametrize("frame", ["character", "view"])
def test_positions_and_settings_are_stated(frame: PosFrame, tmp_path: Path) -> None:
    backends = ("fusion", "relief")
    config = BuildConfig(source="sample:3", views=4, look="lit", backends=backends, pos_frame=frame)
    build = {"specsia": "9.9", "config": result_settings(config)}
    card = card_of(licensed([("see | here\n# or not", "me\nand | you")]), build)
    assert ("with a box for each view" in card) == (frame == "view")
    assert ("there positions are coloured after the view turn" in card) == (frame == "character")
    assert "| see \\| here # or not | me and \\| you | 1 |" in card
    (tmp_path / "settings.yaml").write_text(card.split("```yaml\n")[1].split("```")[0])
    assert with_settings(BuildConfig(), read_settings(tmp_path / "settings.yaml"), "the card") == config


def test_hub_and_datasets_read_the_yaml(one_backend: Path, two_backends: Path, tmp_path: Path) -> None:
    for folder, configs in ((one_backend, ("default",)), (two_backends, ("fat", "thin"))):
        card = DatasetCard.load(folder / "README.md")
        assert isinstance(card.data, DatasetCardData)
        known = inspect.signature(DatasetCardData.__init__).parameters
        assert set(card.data.to_dict()) <= {*known, "configs", "dataset_info", "tags", "license_name"}
        infos, theirs = DatasetInfosDict.from_dataset_card_data(card.data), DatasetCardData()
        assert tuple(infos) == configs
        infos.to_dataset_card_data(theirs)
        assert theirs.to_dict()["dataset_info"] == card.data.to_dict()["dataset_info"]
        for config in configs:
            builder = load_dataset_builder(str(folder), config, cache_dir=str(tmp_path / "cache"))
            assert builder.info.features == Features.from_arrow_schema(schema.arrow_schema())
            splits = builder.info.splits
            assert splits is not None
            footers = {path: pq.read_metadata(path) for path in (folder / "data").rglob("*.parquet")}
            rows = sum(f.num_rows for p, f in footers.items() if len(configs) == 1 or p.parent.name == config)
            assert sum(split.num_examples for split in splits.values()) == rows
            files = sum(p.stat().st_size for p in footers if len(configs) == 1 or p.parent.name == config)
            assert builder.info.download_size == files
            assert all(split.num_bytes > 0 for split in splits.values())


def test_card_of_clips(clips_run: RunPaths) -> None:
    card = (clips_run.dataset / schema.CARD).read_text(encoding="utf-8")
    features = [feature["name"] for feature in fields(card)["dataset_info"]["features"]]
    assert tuple(features) == schema.MOVING_COLUMNS
    assert all(f"| `{name}` | " in card for name in schema.MOVING_COLUMNS)
    assert "| relief | train | 1 | 5 | 28 |" in card
    assert "| sway | 6 |" in card
    assert "specsia clips SOURCE --config settings.yaml" in card
    assert "each of 2 evenly spaced cameras at 4 frames a second" in " ".join(card.split())
    assert "before registration" not in card


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("CC0-1.0", "CC0-1.0"),
        ("cc0", "CC0-1.0"),
        ("CC0 1.0 Universal", "CC0-1.0"),
        ("CC BY-NC 4.0", "CC-BY-NC-4.0"),
        ("CC_BY_NC_ND", "CC-BY-NC-ND-4.0"),
        ("CC BY 4.0 International", "CC-BY-4.0"),
        ("MIT License", "MIT"),
        ("Apache 2.0", "Apache-2.0"),
        (" LicenseRef-3DBiCar ", "LicenseRef-3DBiCar"),
        ("LicenseRef-", None),
        ("see the website", None),
        ("", None),
    ],
)
def test_licence_names(text: str, found: str | None) -> None:
    assert spdx_id(text) == found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CC BY-NC 4.0", None),
        ("LicenseRef-CC-BY-ND-asked", None),
        ("MIT OR Proprietary", None),
        ("(ISC AND MIT)", None),
        ("All rights reserved", "is not known to allow sharing"),
        ("CC BY-NC-ND 4.0", "forbids sharing modified copies"),
        ("MIT AND proprietary", "is not known to allow sharing"),
    ],
)
def test_shareable_licences(text: str, reason: str | None) -> None:
    assert reason in str(forbids(text)) if reason else forbids(text) is None


@pytest.mark.parametrize(
    ("card", "problem"),
    [
        ("---\nlicense: cc-by-4.0\n---\n", None),
        ("---\nlicense: [odbl, agpl-3.0, mit]\n---\n", None),
        ("---\nlicense: [mit, cc-by-nd-4.0]\n---\n", "under 'mit AND cc-by-nd-4.0'"),
        ("---\nlicense: [mit, unknown]\n---\n", "without a licence"),
        ("---\nlicense: other\nlicense_name: mixed\n---\n", "under 'mixed'"),
        ("---\nlicense: unknown\n---\n", "without a licence"),
        ("no front matter", "without a licence"),
    ],
)
def test_rows_without_the_column(tmp_path: Path, card: str, problem: str | None) -> None:
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"uid": ["a", "b", "c"]}), tmp_path / "data" / "train-00000-of-00001.parquet")
    (tmp_path / "README.md").write_text(card)
    problems = redistribution_problems(tmp_path)
    assert len(problems) == (problem is not None)
    assert problem is None or problems[0].startswith(f"3 rows {problem}")
