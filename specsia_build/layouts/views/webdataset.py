"""The layout `webdataset`: a tar for each character, of pairs or of views, by WebDataset's convention."""

import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from specsia_build import png
from specsia_build.cameras.records import cameras_of, cameras_record
from specsia_build.config import BuildConfig
from specsia_build.dataset import schema
from specsia_build.dataset.layers import frame_file
from specsia_build.files.records import parse_json
from specsia_build.files.writing import write_bytes
from specsia_build.layouts.checks import MOST_BYTES, check_names
from specsia_build.layouts.layout import json_text
from specsia_build.layouts.part import Part, Written
from specsia_build.layouts.views.checks import CheckedView, check_geometry
from specsia_build.layouts.views.encoding import decode_exr, encode_tar, problem_of
from specsia_build.layouts.views.layout import DrawnCharacter, ViewLayout, by_split
from specsia_build.pictures.sheets import as_stored

Samples = Sequence[tuple[str, Mapping[str, bytes]]]
"""Key and files by suffix, such as ``color.png``, of each sample."""

_STEPS = 'webdataset.WebDataset(sorted(glob("FOLDER/train/*.tar")), shardshuffle=100).decode("pil")'


class WebDatasetLayout(ViewLayout):
    """Tars that `webdataset.WebDataset` and `wids` read."""

    name = "webdataset"
    shows = "pairs"
    title = "a tar for each character, as `webdataset` reads them"
    suffix: ClassVar[str] = ".tar"
    rig = "ring:10"
    square = False
    more_layers = True
    moving = True
    steps = _STEPS
    loading = f"""\
`SPLIT/ID.tar` holds a sample for each view, `ID-KKK.json` and pictures beside it. Of characters the JSON \
has `c2w` (OpenGL's axes, Z up), `fov_deg` or `width`, `size` and `centre`, and `color.png` is RGBA; depth \
and positions are EXR in units (the longest side is 1), numbers of parts and materials plus one in 24 bits. \
Of pairs the JSON has the columns of a row, and `color.png`, `pos.png`, `edge.png`, `mask.png`, `gt.png` and \
`gt_mask.png` are its pictures. `SPLIT.json` is an index for `wids`.

```python
from glob import glob
import webdataset

samples = {_STEPS}
for sample in samples:
    print(sample["__key__"], sample["json"], sample["color.png"].size)
```
"""

    def check(self, config: BuildConfig) -> None:
        """Accept all settings: a run has pairs to write."""

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        if "cameras" in part.options:
            return super().write(part, out)
        samples = []
        for pictures in part:
            for k, scalars in enumerate(pictures.meta.get("rows", ())):
                columns = [column for column in schema.ALL_IMAGES if frame_file(column, k) in pictures.files]
                files = {f"{column}.png": pictures.raw(column, k) for column in columns}
                files["json"] = json.dumps(scalars).encode()
                samples.append((f"{pictures.meta['id']}-{k:03d}", files))
        write_bytes(out / self.shard_name(part.split, part.key), self.encode_shard(samples))
        return {"frames": len(samples), "suffixes": sorted(samples[0][1])}

    def shard_name(self, split: str, key: str) -> str:
        """Name of a part's only file."""
        return f"{split}/{key}{self.suffix}"

    def encode_shard(self, samples: Samples) -> bytes:
        """Encode the samples of a part, which all have the same suffixes."""
        return encode_tar(samples)

    def read_shard(self, path: Path) -> Iterator[tuple[str, str, bytes]]:
        """Yield key, suffix and bytes of each file of each sample; a ValueError for what cannot be one."""
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                key, _, suffix = member.name.partition(".")
                if not member.isreg() or member.issparse() or member.size > MOST_BYTES:
                    raise ValueError(f"has {member.name}, which is not a file of a sample")
                stream = archive.extractfile(member)
                yield key, suffix, stream.read() if stream else b""

    def write_views(self, drawn: DrawnCharacter, out: Path) -> Mapping[str, Any]:
        records = cameras_record(drawn.cameras, self.view_names(len(drawn.cameras)))["views"]
        samples = []
        for record, time, view in zip(records, drawn.times(), drawn.views(), strict=True):
            facts = {"character": drawn.id, **record, **time, "license": drawn.meta["license"]}
            files = {"color.png": png.encode(view.layers.color), "json": json.dumps(facts).encode()}
            files |= drawn.layer_files(view, self.scale)
            samples.append((f"{drawn.id}-{record['name']}", files))
        write_bytes(out / self.shard_name(drawn.split, drawn.id), self.encode_shard(samples))
        return {"suffixes": sorted(samples[0][1])}

    def whole(self, parts: Iterable[Written]) -> Iterator[tuple[str, bytes]]:
        listed = [*parts]
        frames = {part.key: part.facts["frames"] for part in listed}
        for split, keys in by_split(listed).items():
            shards = [{"url": f"{split}/{key}.tar", "nsamples": frames[key]} for key in keys]
            yield f"{split}.json", json_text({"wids_version": 1, "shardlist": shards})

    def expected(self, part: Written) -> Mapping[str, int]:
        return {self.shard_name(part.split, part.key): 0}

    def check_part(self, folder: Path, part: Written) -> Iterator[str]:
        yield from (problems := [*check_names(part, self.files(part))])
        if problems:
            return
        views: dict[str, dict[str, bytes]] = {}
        name = self.shard_name(part.split, part.key)
        try:
            for key, suffix, data in self.read_shard(folder / name):
                views.setdefault(key, {})[suffix] = data
                if problem := problem_of(suffix, data):
                    yield f"{key}.{suffix} of {name} {problem}"
        except ValueError as error:
            yield f"{name} {error}"
            return
        suffixes, count = part.facts["suffixes"], part.facts["frames"]
        if len(views) != count or any(sorted(files) != suffixes for files in views.values()):
            yield f"{name} has other samples than it should"
            return
        records = {key: parse_json(files["json"], key) for key, files in views.items()}
        if not all("c2w" in record for record in records.values()):
            return
        cameras = cameras_of({**cameras_record([], []), "views": [*records.values()]}, "it")
        drawn = []
        for (key, files), camera in zip(views.items(), cameras.values(), strict=True):
            depth = decode_exr(files["depth.exr"]) if "depth.exr" in files else None
            drawn.append(CheckedView.of(key, camera, as_stored(files["color.png"])[..., 3], depth))
        yield from check_geometry(drawn, 1.0, bool(part.facts.get("moving")))
