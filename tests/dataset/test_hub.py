"""Datasets read from a Hub: a local server that speaks its protocol."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from huggingface_hub import constants, snapshot_download

from specsia_build.cli import main
from specsia_build.dataset.pairs import splits_of
from specsia_build.dataset.reading import open_dataset
from specsia_build.dataset.verify.check import verify
from specsia_build.errors import SpecsiaError, UsageError
from tests.hub_server import HubServer

REPO = "tester/pairs"


def test_what_was_pushed_is_read_verified_and_followed(
    server: HubServer, one_backend: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed = CliRunner().invoke(main, ["push", str(one_backend), "--repo", REPO])
    assert pushed.exit_code == 0, pushed.output
    here, there = open_dataset(one_backend), open_dataset(REPO)
    assert (there.schema, there.configs, there.digest()) == (here.schema, here.configs, here.digest())
    columns = ("uid", "gt", "iou")
    assert list(there.stream("default", "train", columns)) == list(here.stream("default", "train", columns))
    assert there.take("default", "test", [1], columns) == here.take("default", "test", [1], columns)
    assert splits_of(there) == splits_of(here)
    assert verify(REPO).ok
    assert open_dataset(f"hf://datasets/{REPO}").digest() == here.digest()
    snapshot_download(REPO, repo_type="dataset", endpoint=server.url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    before = len(server.requests)
    assert open_dataset(REPO).digest() == here.digest()
    assert len(server.requests) == before
    with pytest.raises(SpecsiaError, match="HF_HUB_OFFLINE is set"):
        open_dataset("tester/others")


def test_what_is_not_on_the_hub_is_said(server: HubServer) -> None:
    with pytest.raises(UsageError, match="no folder tester/nothing here, and no such dataset or revision on the Hub"):
        open_dataset("tester/nothing")
