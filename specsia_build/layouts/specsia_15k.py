"""The layout `specsia-15k`: the folder tree of the published set's own pipeline, a folder for each view."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from specsia_build import png
from specsia_build.arrays import Pixels
from specsia_build.config import BuildConfig
from specsia_build.dataset import schema
from specsia_build.errors import CharacterError, SpecsiaError, UsageError
from specsia_build.files.writing import write_bytes
from specsia_build.frame import view_yaws
from specsia_build.layouts.checks import MOST_PICTURES, check_names
from specsia_build.layouts.layout import Group, Layout
from specsia_build.layouts.part import Member, Part, Pictures, Written
from specsia_build.published.ids import IDS_FILE, ids_text, is_number, numbered, split_lists, view_uid
from specsia_build.published.places import PUBLISHED_VIEWS
from specsia_build.published.tree import PICTURE_FILES
from specsia_build.published.writing import positions_in_views, tree_pictures
from specsia_build.rendering.positions import edge_image


class Specsia15K(Layout):
    """The tree that the authors' upload and DrawingSpinUp's trainer read."""

    name = "specsia-15k"
    title = "the folder tree of SPECSIA-15K, as its authors' scripts and DrawingSpinUp's trainer read it"
    unit = "character"
    layers = ()
    shows = "pairs"
    loading = """\
`NUMBER_VV/` is view VV of a character: `char/texture.png` is Y\\*, `char/mask.png` its silhouette with the
contour, `char/texture_with_bg.png` Y\\* on grey 240. In `mesh/blender_render/rest_pose/`, `color/0001.png` is
Z, `pos/` its positions (R right, G away from the camera, B up, over each view's box), `edge/` their edges.
`splits/*_uids.json` lists the views of each split, and `ids.json` tells which character has which number.

```python
rest_pose = "NUMBER_00/mesh/blender_render/rest_pose"
DatasetFullImages(rest_pose, "color", use_mask=True, use_pos=True, use_edge=False)
DatasetPatches_M(rest_pose, "color", "NUMBER_00/char", "texture", 32, True, True, False)
```
"""

    def check(self, config: BuildConfig) -> None:
        check_views(config, self.name)

    def group(self, members: Sequence[Member], splits: Mapping[str, str]) -> Iterator[Group]:
        numbers = numbered(splits)
        for member in members:
            yield Group(member.character, (member,), {"number": numbers[member.character]})

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        (pictures,) = part
        number = part.options["number"]
        for view, layers in enumerate(views_of(pictures)):
            for name, picture in tree_pictures(*layers[:3]).items():
                write_bytes(out / view_uid(number, view) / PICTURE_FILES[name], png.encode(picture))
        return {"frames": pictures.frames, "number": number}

    def whole(self, parts: Iterable[Written]) -> Iterator[tuple[str, bytes]]:
        listed = [(part.character, part.split, part.facts) for part in parts]
        splits = {character: split for character, split, _ in listed}
        views = {character: facts["frames"] for character, _, facts in listed}
        numbers = {character: facts["number"] for character, _, facts in listed}
        yield IDS_FILE, ids_text(numbers).encode()
        for name, text in split_lists(splits, views, numbers):
            yield name, text.encode()

    def expected(self, part: Written) -> Mapping[str, int]:
        uids = [view_uid(str(part.facts.get("number")), view) for view in range(part.facts["frames"])]
        return dict.fromkeys((f"{uid}/{name}" for uid in uids for name in PICTURE_FILES.values()), 0)

    def check_part(self, folder: Path, part: Written) -> Iterator[str]:
        number, views = part.facts.get("number"), part.facts["frames"]
        if not isinstance(number, str) or not is_number(number) or views > MOST_PICTURES:
            yield f"{part.key} has no number, or too many views"
            return
        yield from (problems := [*check_names(part, self.expected(part))])
        for view in range(0 if problems else views):
            uid = view_uid(number, view)
            yield from (f"{uid}/{problem}" for problem in _problems(folder / uid))


def _problems(folder: Path) -> Iterator[str]:
    """Names of a view's pictures that are not what Y*, Z and positions give."""
    stored = {name: (folder / file).read_bytes() for name, file in PICTURE_FILES.items()}
    decoded = {}
    for name in ("color", "pos", "gt"):
        try:
            decoded[name] = png.decode(stored[name], 4)
        except ValueError as error:
            yield f"{PICTURE_FILES[name]} cannot be decoded: it {error}"
            return
    if len({picture.shape for picture in decoded.values()}) > 1:
        yield f"{PICTURE_FILES['gt']} differs in size from Z or pos"
        return
    for name, picture in tree_pictures(**decoded).items():
        try:
            same = np.array_equal(png.decode(stored[name], picture[0, 0].size), picture)
        except ValueError:
            same = False
        if not same:
            yield f"{PICTURE_FILES[name]} does not follow from Y*, Z and pos"


def check_views(config: BuildConfig, name: str) -> None:
    """Raise UsageError if a layout of the published views should hold frames of clips, or other views."""
    if config.clips is not None:
        raise UsageError(f"{name} holds views of still characters: use it with `specsia build`")
    if config.cameras is None and config.views != PUBLISHED_VIEWS:
        cure = f"build with --views {PUBLISHED_VIEWS}"
        raise UsageError(f"{name} holds {PUBLISHED_VIEWS} views of each character: {cure}")


def views_of(pictures: Pictures) -> Iterator[tuple[Pixels, Pixels, Pixels, Pixels]]:
    """Yield Z, positions in the view and Y*, each (S, S, 4), and edges (S, S) of each view of a character.

    Raises CharacterError if the cameras differ from the published ones.
    """
    meta = pictures.meta
    if any(row.get("elevation_deg") or row.get("fov_deg") for row in meta.get("rows", ())):
        problem = f"{meta['id']} is seen by cameras that are not level and orthographic"
        raise CharacterError(f"{problem}, as the published ones are: build it without --cameras")
    count = len(meta["yaws"])
    if count > PUBLISHED_VIEWS or not np.allclose(meta["yaws"], view_yaws(PUBLISHED_VIEWS)[:count]):
        problem = f"{meta['id']} is not seen from the {PUBLISHED_VIEWS} published sides"
        raise CharacterError(f"{problem}: build it with --views {PUBLISHED_VIEWS}, and leave out no view")
    color, pos, gt = (_stacked(pictures, layer) for layer in (schema.COLOR, schema.POS, schema.GT))
    if meta.get("pos_frame") == "view":
        # Rows have lost the alpha that their edges follow from.
        yield from zip(color, pos, gt, _stacked(pictures, schema.EDGE), strict=True)
        return
    boxes = np.array([(row["bbox_min"], row["bbox_max"]) for row in meta["rows"]])
    turned = np.array(meta["turned_boxes"]) if "turned_boxes" in meta else None
    pos = positions_in_views(pos, meta["yaws"], boxes, turned)
    yield from zip(color, pos, gt, map(edge_image, pos), strict=True)


def _stacked(pictures: Pictures, layer: str) -> Pixels:
    channels = len(schema.IMAGE_COLUMNS[layer])
    try:
        return np.stack([png.decode(pictures.raw(layer, view), channels) for view in range(pictures.frames)])
    except ValueError as error:
        raise SpecsiaError(f"a view of {pictures.meta.get('id')} cannot be read: {layer} {error}") from error
