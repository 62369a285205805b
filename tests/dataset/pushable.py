"""Datasets to push: Parquet shards of random bytes, with all other files of a dataset."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.dataset import schema
from tests.checksums import write_sums

CARD = """---
license: cc0-1.0
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*.parquet
---

# A dataset to push
"""


def write_dataset(
    folder: Path,
    shards: int,
    shard_bytes: int,
    seed: int = 0,
    license_: str | None = "CC0-1.0",
    backend: str = "relief",
) -> Path:
    """Write a dataset of so many shards of about so many bytes; the same for the same seed."""
    (folder / schema.DATA).mkdir(parents=True)
    rng = np.random.default_rng(seed)
    texts = [(name, pa.string()) for name in ("uid", "license", "backend")]
    columns = pa.schema([("color", pa.binary()), *texts])
    for shard in range(shards):
        path = folder / schema.DATA / schema.shard_name("train", shard, shards)
        row = {"uid": [f"{shard}_00"], "color": [rng.bytes(shard_bytes)], "license": [license_]}
        row["backend"] = [backend]
        pq.write_table(pa.table(row, columns), path, compression="none", use_dictionary=False)
    (folder / schema.CARD).write_text(CARD, encoding="utf-8")
    (folder / schema.BUILD_FILE).write_text(json.dumps({"specsia": "1.2.3", "config": {}}), encoding="utf-8")
    (folder / schema.SPLITS_FILE).write_text("{}", encoding="utf-8")
    write_sums(folder)
    return folder
