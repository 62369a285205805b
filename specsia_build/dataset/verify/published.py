"""Check rows and the folder tree of the published schema, character by character."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Pixels
from specsia_build.dataset import schema
from specsia_build.dataset.foreign import fit_rows
from specsia_build.dataset.pairs import content_of, is_frontal
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dataset.verify.report import Findings
from specsia_build.dataset.verify.rows import MOST_OTHER_EDGES, RowFacts, extra_chunks
from specsia_build.errors import SpecsiaError
from specsia_build.files.records import parse_json
from specsia_build.published import rows as published
from specsia_build.published.ids import CHARACTER_LISTS, LIST_FILES, is_number
from specsia_build.published.tree import PICTURE_FILES, Tree, folders_of, uid_order
from specsia_build.rendering.positions import edge_image

ROWS_AT_ONCE = 160  # Rows, of whole characters, that one call checks; about 20 MB
MOST_OFF_COMPOSITE = 2  # Largest difference in levels of Y* on grey from Y* composited on it
_MOST_EDGES_OF_GAPS = 0.02  # Share of pixels that may be edges without a reason in pos
_RIM_PX, _MOST_OTHER_EDGES = 3, 1e-3
"""Distance from Z's border within which the edges of rows, which lost its alpha, are not checked, and the
share of pixels that may differ in them: where parts of Z overlap, the alpha may have been less than 255."""

Call = Callable[[], tuple[list[RowFacts], Findings]]


@dataclass(frozen=True)
class ViewRows:
    """Consecutive rows of a split by number, which one call checks."""

    dataset: OpenedDataset
    config: str
    split: str
    numbers: tuple[int, ...]


def check_calls(dataset: OpenedDataset) -> list[tuple[ViewRows, Call]]:
    """Calls of `check_views` that together check all rows of a dataset, in order."""
    calls: list[tuple[ViewRows, Call]] = []
    for config in dataset.configs:
        for split in dataset.splits(config):
            part: list[int] = []
            characters = list(dataset.characters(config, split).values())
            for k, numbers in enumerate(characters):
                part += numbers
                if len(part) >= ROWS_AT_ONCE or k == len(characters) - 1:
                    views = ViewRows(dataset, config, split, tuple(sorted(part)))
                    calls.append((views, partial(check_views, views)))
                    part = []
    return calls


def check_views(views: ViewRows) -> tuple[list[RowFacts], Findings]:
    """Check rows of whole characters; anything wrong, unreadable bytes included, is returned as a finding."""
    facts: list[RowFacts] = []
    findings, dataset = Findings(), views.dataset
    characters: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(views, findings):
        with findings.catching("views", row["uid"]):
            character_id, view = schema.split_uid(row["uid"])
            fact, whole = _check_row(row, character_id, view, dataset.tree is not None, findings)
            facts.append(fact)
            stored = {name: row[name] for name in ("uid", schema.COLOR, schema.POS)}
            # Without a picture that is reported already, the others are not compared.
            characters.setdefault(character_id, []).append(stored if whole else {})
    for character_id, rows in characters.items():
        if all(rows):
            with findings.catching("position", character_id):
                fit_rows(rows, dataset.channels, dataset.where)
    return facts, findings


def _rows(views: ViewRows, findings: Findings) -> Iterator[dict[str, Any]]:
    """Rows with all of their pictures; of a tree, one by one, as each may lack a file."""
    dataset = views.dataset
    if dataset.tree is None:
        columns = ("uid", *published.PICTURE_COLUMNS)
        with findings.catching("files", f"{views.split} of {views.config}"):
            yield from dataset.take_stored(views.config, views.split, views.numbers, columns)
        return
    uids = dataset.tree.uids[views.split]
    for number in views.numbers:
        row: dict[str, Any] = {"uid": uids[number]}
        for name, file in PICTURE_FILES.items():
            row[name] = None
            with findings.catching("files", f"{uids[number]}/{file}"):
                row[name] = dataset.tree.read(f"{uids[number]}/{file}")
        yield row


def _check_row(
    row: Mapping[str, Any], character_id: str, view: int, in_tree: bool, findings: Findings
) -> tuple[RowFacts, bool]:
    """Check the pictures of a row; returns also whether all of them could be read."""
    uid = row["uid"]
    if not is_number(character_id) or uid != f"{character_id}_{view:02d}":
        findings.add("views", uid, "is not a number and two digits of a view, such as 12_03")
    channels = {**published.TREE_CHANNELS, "gt_on_grey": 3} if in_tree else published.ROW_CHANNELS
    images: dict[str, Pixels] = {}
    for name, count in channels.items():
        if not row[name]:
            findings.add("images", uid, f"has no {name}")
            continue
        # The authors' own pictures may have other chunks, such as Blender's notes in the tree.
        if not in_tree and (extra := extra_chunks(row[name])):
            findings.add("images", uid, f"{name} carries more than pixels: {', '.join(extra)}")
        with findings.catching("images", uid):
            images |= published.decode({name: row[name]}, {name: count})
    sizes = {image.shape[1::-1] for image in images.values()}
    if len(sizes) > 1:
        findings.add("images", uid, f"its images differ in size: {sorted(sizes)}")
    whole, content = len(images) == len(channels) and len(sizes) == 1, None
    if whole:
        with findings.catching("grounds", uid):
            planes = published.planes(images)
            for check, message in _picture_problems(images, planes):
                findings.add(check, uid, message)
            if is_frontal(view):
                content = content_of(planes.gt, planes.gt[..., 3])
    target = tuple(hashlib.sha256(row[name] or b"").hexdigest() for name in (schema.GT, schema.MASK))
    values = {"uid": uid, "character_id": character_id, "view": view}
    size = next(iter(sizes)) if len(sizes) == 1 else None
    return RowFacts(values, target, (int(size[0]), int(size[1])) if size else None, content), whole


def _picture_problems(images: Mapping[str, Pixels], planes: published.Planes) -> Iterator[tuple[str, str]]:
    """Check and sentence of each problem of a row's pictures, which have the right modes."""
    mask, gt, color = (images[name] for name in ("mask", "gt", "color"))
    if other := int(np.count_nonzero((mask != 0) & (mask != 255))):
        yield "grounds", f"mask has {other} pixels that are neither 0 nor 255"
    if gt.shape[2] == 4:
        if other := int(np.count_nonzero((gt[..., 3] > 0) != (mask > 0))):
            yield "grounds", f"mask differs in {other} pixels from where texture.png has any opacity"
        share = gt[..., 3:].astype(np.float32) / 255
        expected = gt[..., :3] * share + published.Y_GROUND * (1 - share)
        off = np.abs(images["gt_on_grey"] - expected).max(axis=-1) > MOST_OFF_COMPOSITE
        if other := int(np.count_nonzero(off)):
            yield "grounds", f"texture_with_bg.png differs from texture.png on grey in {other} pixels"
        dark = ~published.coloured(color) | (color[..., 3] > 0)
    else:
        if other := int(np.count_nonzero((gt != published.Y_GROUND).any(axis=-1) & (mask == 0))):
            yield "grounds", f"gt is not grey in {other} pixels where mask is 0"
        dark = np.ones(mask.shape, np.bool_)
    if other := int(np.count_nonzero(~dark)):
        yield "grounds", f"color is not black in {other} pixels whose alpha is 0"
    if not planes.silhouette.any():
        yield "grounds", "color and pos show nothing"
    yield from (("edge", message) for message in _edge_problems(images, planes.silhouette))


def _edge_problems(images: Mapping[str, Pixels], silhouette: NDArray[np.bool_]) -> Iterator[str]:
    """Check that `edge` follows from `pos`, as far as its alpha is known."""
    edge, pos = images["edge"], images["pos"]
    if edge.ndim == 3:
        if other := int(np.count_nonzero((edge != edge[..., :1]).any(axis=-1))):
            yield f"edge is coloured in {other} pixels"
        edge = edge[..., 0]
    known = np.ones(edge.shape, np.bool_)
    most = MOST_OTHER_EDGES
    if pos.shape[2] == 3:
        most = _MOST_OTHER_EDGES
        around = np.ones((3, 3), np.bool_)
        inner = scipy.ndimage.binary_erosion(silhouette, around, iterations=_RIM_PX)
        outer = ~scipy.ndimage.binary_dilation(silhouette, around, iterations=_RIM_PX)
        known = inner | outer
        pos = np.dstack([pos, np.where(silhouette, np.uint8(255), np.uint8(0))])
    own = edge_image(pos)
    missing, more = (int(np.count_nonzero((a < b) & known)) for a, b in ((own, edge), (edge, own)))
    # In rows the alpha of gaps within Z is lost, whose rims are edges, too.
    most_more = most if pos.shape[2] == images["pos"].shape[2] else _MOST_EDGES_OF_GAPS
    if missing > most * edge.size or more > most_more * edge.size:
        yield f"edge differs in {missing + more} pixels from the edges of pos"


def check_order(dataset: OpenedDataset, findings: Findings) -> None:
    """Check that rows are in the order of the published lists: by character's number, then by view."""
    for config in dataset.configs:
        for split in dataset.splits(config):
            uids = dataset.uids(config, split)
            numbered = [uid for uid in uids if uid.replace("_", "").isdecimal() and uid.isascii()]
            order = sorted(numbered, key=uid_order)
            if numbered != order:
                first = next(a for a, b in zip(numbered, order, strict=True) if a != b)
                findings.add("views", first, f"of {split} is not in the order of numbers and views")


def check_lists(tree: Tree, findings: Findings) -> None:
    """Check a tree's lists against its folders and against `split_chars.json`."""
    listed = [uid for uids in tree.uids.values() for uid in uids]
    for uid in sorted({*folders_of(tree.folder)} - {*listed}, key=uid_order):
        findings.add("splits", uid, "is a folder that no list in splits/ names")
    with findings.catching("splits", CHARACTER_LISTS):
        stated = parse_json(tree.read(CHARACTER_LISTS), CHARACTER_LISTS)
        for split, name in LIST_FILES.items():
            short = name.removeprefix("splits/").removesuffix("_uids.json")
            characters = sorted({uid.rpartition("_")[0] for uid in tree.uids.get(split, ())}, key=int)
            if not isinstance(stated, dict) or stated.get(short) != characters:
                raise SpecsiaError(f"lists other characters of {short} than {name}")
