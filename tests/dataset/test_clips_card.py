"""The card of a dataset of clips: what `datasets` loads by it, and what it says."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest

from specsia_build.dataset import schema
from specsia_build.dataset.front_matter import card_fields
from specsia_build.pipeline.layout import RunLayout


@pytest.fixture(scope="module")
def card(clips_run: RunLayout) -> str:
    return (clips_run.dataset / schema.CARD).read_text(encoding="utf-8")


def sentences(card: str) -> str:
    return " ".join(card.split())


def test_datasets_loads_frames_with_their_clips(clips_run: RunLayout, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(clips_run.dataset), cache_dir=str(tmp_path))
    assert tuple(loaded["train"].features) == schema.MOVING_COLUMNS
    row = loaded["train"][1]
    assert (row["uid"], row["frame"], row["time"]) == (f"{row['clip']}_0001", 1, 0.25)
    assert (row["color"].mode, row["color"].size) == ("RGBA", (64, 64))


def test_the_card_lists_every_column_and_counts_frames_and_clips(card: str) -> None:
    features = [feature["name"] for feature in card_fields(card)["dataset_info"]["features"]]
    assert tuple(features) == schema.MOVING_COLUMNS
    assert all(f"| `{name}` | " in card for name in schema.MOVING_COLUMNS)
    assert "| backend | split | characters | clips | frames |" in card
    assert "| relief | train | 1 | 5 | 28 |" in card
    assert "| sway | 6 |" in card


def test_the_card_says_how_clips_are_made_and_nothing_of_views_around(card: str) -> None:
    assert "specsia clips SOURCE --config settings.yaml" in card
    assert "seen by each of 2 evenly spaced cameras at 4 frames a second" in sentences(card)
    assert "specsia build" not in card
    assert "before registration" not in card
    assert "4 evenly spaced" not in card
