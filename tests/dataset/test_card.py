"""The card says what is so, in YAML that the Hub's parser takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard

from specsia_build.config import BuildConfig, result_settings
from specsia_build.dataset.card import CardFacts, write_card
from specsia_build.dataset.schema import COLUMNS, MEANINGS


def facts(**changes: Any) -> CardFacts:
    base: dict[str, Any] = {
        "source": "sample:3",
        "planned": 4,
        "rows": {"inflate": {"train": 20, "test": 10}},
        "characters": {"inflate": {"train": 2, "test": 1}},
        "quality": {"inflate": [0.9, 0.8, 0.5]},
        "frontal_before": {"inflate": [0.97, 0.96, 0.98]},
        "licenses": [("CC0-1.0", "somebody")] * 3,
        "quarantined": {"": 1},
        "sees_ground_truth": [],
        "build": {"specsia": "9.9", "config": result_settings(BuildConfig())},
    }
    return CardFacts(**{**base, **changes})


def fields(card: str) -> dict[str, Any]:
    loaded: dict[str, Any] = DatasetCard(card).data.to_dict()
    return loaded


def test_one_backend() -> None:
    card = write_card(facts())
    told = fields(card)
    assert told["license"] == "cc0-1.0"
    assert told["configs"] == [
        {
            "config_name": "default",
            "data_files": [
                {"split": "train", "path": "data/train-*.parquet"},
                {"split": "test", "path": "data/test-*.parquet"},
            ],
        }
    ]
    assert told["size_categories"] == ["n<1K"]
    assert "| inflate | test | 1 | 10 |" in card
    assert "4 characters were asked for; quarantined and left out: 1 before any backend." in card
    assert "| inflate | 0.733 | 0.500 | 0.800 | 0.970 |" in card
    assert "| CC0-1.0 | somebody | 3 |" in card
    assert 'load_dataset("PATH_OR_REPO")' in card


def test_several_backends_of_which_one_made_nothing() -> None:
    rows = {"none": {}, "fusion": {"train": 1000}, "inflate": {"train": 10}}
    card = write_card(
        facts(
            rows=rows,
            characters={"none": {}, "fusion": {"train": 100}, "inflate": {"train": 1}},
            quality={"none": [], "fusion": [0.9, 0.8], "inflate": [0.7]},
            frontal_before={"none": [], "fusion": [0.9, 0.8], "inflate": [0.7]},
            sees_ground_truth=["fusion"],
        )
    )
    told = fields(card)
    assert [(c["config_name"], c.get("default")) for c in told["configs"]] == [("fusion", True), ("inflate", None)]
    assert told["configs"][1]["data_files"] == [{"split": "train", "path": "data/inflate/train-*.parquet"}]
    assert told["size_categories"] == ["1K<n<10K"]
    assert 'load_dataset("PATH_OR_REPO", "fusion")' in card
    assert "It sees the ground truth." in card
    assert "| fusion | 0.850 | 0.800 | 0.850 | 0.850 |" in card


@pytest.mark.parametrize(
    ("licenses", "wanted"),
    [
        ([("MIT", None)], {"license": "mit"}),
        ([(None, None)], {"license": "unknown"}),
        ([("Mine 1.0", None)], {"license": "other", "license_name": "Mine 1.0"}),
        ([("MIT", None), (None, None)], {"license": "other", "license_name": "mixed"}),
    ],
)
def test_licences(licenses: list[tuple[str | None, str | None]], wanted: dict[str, str]) -> None:
    card = write_card(facts(licenses=licenses))
    told = fields(card)
    assert {name: told[name] for name in wanted} == wanted
    assert ("Nobody stated a licence for some characters" in card) == any(kind is None for kind, _ in licenses)


def test_text_of_others_cannot_break_a_table() -> None:
    card = write_card(facts(licenses=[("see | here\n# or not", "me\nand | you")]))
    assert "| see \\| here # or not | me and \\| you | 1 |" in card


def test_an_awkward_source_name_stays_a_name() -> None:
    card = write_card(facts(source="boxes: 'n' \"balls\" # 3"))
    assert fields(card)["pretty_name"] == "SPECSIA pairs of boxes: 'n' \"balls\" # 3"


def test_every_column_has_its_meaning() -> None:
    assert tuple(sorted(MEANINGS)) == tuple(sorted(COLUMNS))
    card = write_card(facts())
    assert all(f"| `{name}` | " in card for name in COLUMNS)


@pytest.mark.parametrize("frame", ["character", "view"])
def test_the_frame_of_positions_is_stated(frame: str) -> None:
    build = {"specsia": "9.9", "config": result_settings(BuildConfig(pos_frame=frame))}
    card = write_card(facts(build=build))
    assert ("with a box for each view" in card) == (frame == "view")
    assert f"`pos_frame: {frame}`" in card


def test_the_packed_card(one_backend: Path) -> None:
    card = (one_backend / "README.md").read_text()
    assert "7 characters were asked for" in card
    assert "| fat | train | 4 | 16 |" in card
