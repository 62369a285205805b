"""The layout `mds`: a shard for each character, of pairs or of views, as MosaicML's `streaming` reads them.

That library needs the clients of four clouds and an older NumPy, so the format is written here: the number of
samples, their offsets, the columns as JSON, and for each sample sizes and values. Integers are little-endian
uint32.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from specsia_build.files.records import parse_json
from specsia_build.layouts.checks import MOST_BYTES
from specsia_build.layouts.layout import json_text
from specsia_build.layouts.part import Written
from specsia_build.layouts.views.layout import by_split
from specsia_build.layouts.views.webdataset import Samples, WebDatasetLayout

_KEY = "__key__"
_ENCODINGS = {"png": "png", "json": "json", "exr": "bytes"}
_STEPS = 'StreamingDataset(local="FOLDER", split="train", batch_size=8, shuffle=True)'


class MDS(WebDatasetLayout):
    """Shards that `streaming.StreamingDataset` and `LocalDataset` of MosaicML read."""

    name = "mds"
    title = "a shard for each character, as MosaicML's `streaming` reads them"
    suffix = ".mds"
    steps = _STEPS
    loading = f"""\
`SPLIT/index.json` lists the shards `SPLIT/ID.mds`, a sample for each view. Its columns are `{_KEY}` \
(`ID-KKK`), `json` and pictures such as `color.png`, which are decoded to PIL images. Of characters the JSON \
has `c2w` (OpenGL's axes, Z up), `fov_deg` or `width`, `size` and `centre`; depth and positions are an EXR's \
bytes in units (the longest side is 1). Of pairs it has the columns of a row, and the pictures are its \
pictures.

```python
from streaming import StreamingDataset

samples = {_STEPS}
print(samples[0]["{_KEY}"], samples[0]["json"], samples[0]["color.png"].size)
```
"""

    def encode_shard(self, samples: Samples) -> bytes:
        config = json.dumps(_columns(sorted(samples[0][1])), sort_keys=True).encode()
        rows = []
        for key, files in samples:
            values = [key.encode(), *(files[name] for name in sorted(files))]
            rows.append(np.array([len(value) for value in values], "<u4").tobytes() + b"".join(values))
        first = 4 + 4 * (len(rows) + 1) + len(config)
        offsets = np.cumsum([first, *map(len, rows)])
        head = np.array([len(rows), *offsets], "<u4").tobytes()
        return head + config + b"".join(rows)

    def read_shard(self, path: Path) -> Iterator[tuple[str, str, bytes]]:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"has more than {MOST_BYTES} bytes")
        data = path.read_bytes()
        count = int.from_bytes(data[:4], "little")
        if len(data) < 8 + 4 * count:
            raise ValueError("is cut short")
        offsets = np.frombuffer(data[4 : 8 + 4 * count], "<u4").astype(int)
        columns = parse_json(data[8 + 4 * count : offsets[0]], path.name)["column_names"]
        if columns[:1] != [_KEY] or offsets[-1] != len(data):
            raise ValueError("is not a shard of samples with keys")
        for begin, end in pairwise(offsets):
            start = begin + 4 * len(columns)
            sizes = np.frombuffer(data[begin:start], "<u4").astype(int)
            ends = start + np.cumsum(sizes)
            if ends[-1] != end:
                raise ValueError("has a sample of another size than it states")
            values = [data[last - size : last] for size, last in zip(sizes, ends, strict=True)]
            yield from ((values[0].decode(), *file) for file in zip(columns[1:], values[1:], strict=True))

    def whole(self, parts: Iterable[Written]) -> Iterator[tuple[str, bytes]]:
        listed = {part.key: part for part in parts}
        for split, keys in by_split(listed.values()).items():
            shards = [self._listed(listed[key]) for key in keys]
            yield f"{split}/index.json", json_text({"version": 2, "shards": shards})

    def _listed(self, part: Written) -> dict[str, Any]:
        name = self.shard_name(part.split, part.key)
        file = {"basename": Path(name).name, "bytes": part.files[name][0], "hashes": {}}
        listed = {**_columns(part.facts["suffixes"]), "raw_data": file, "samples": part.facts["frames"]}
        unset = dict.fromkeys(("compression", "zip_data", "size_limit"))
        return {**listed, **unset, "version": 2, "hashes": []}


def _columns(suffixes: Iterable[str]) -> dict[str, Any]:
    names = [_KEY, *suffixes]
    encodings = ["str", *(_ENCODINGS[name.rpartition(".")[2]] for name in names[1:])]
    columns = {"column_names": names, "column_encodings": encodings, "column_sizes": [None] * len(names)}
    return {"format": "mds", **columns}
