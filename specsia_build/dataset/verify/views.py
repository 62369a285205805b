"""Checks between rows: views of a character, splits, configurations, and the digests of all images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from specsia_build.characters.character import id_order_key
from specsia_build.dataset import splits
from specsia_build.dataset.checksums import ListedImages
from specsia_build.dataset.reading import Shard
from specsia_build.dataset.schema import CHECKSUMS_FILE, GT, GT_MASK, IMAGE_COLUMNS, SPLITS_FILE, row_uid
from specsia_build.dataset.verify.character import check_character
from specsia_build.dataset.verify.clips import ClipOrder
from specsia_build.dataset.verify.colours import EXCHANGED
from specsia_build.dataset.verify.glimpse import Glimpse
from specsia_build.dataset.verify.report import CLIPS, DIGESTS, IMAGES, LICENSES, MOST_LISTED, SPLITS, VIEWS, Findings
from specsia_build.dataset.verify.rows import RowFacts
from specsia_build.errors import SpecsiaError, plural, some

_DIGEST_BYTES = 32


@dataclass
class _Character:
    """One character in one configuration, as far as its rows have come by."""

    splits: set[str]
    constants: tuple[tuple[str, Any], ...]
    views: set[int] = field(default_factory=set)


class Tracker:
    """Takes every row's facts in the order of the dataset and holds what is needed to compare them, not the rows."""

    def __init__(
        self,
        views: int,
        frozen: Mapping[str, str] | None,
        digests: ListedImages | None,
        several: bool,
        clips: ClipOrder | None = None,
    ) -> None:
        """Args:
        views: of every character.
        frozen: split of each id by `splits.json`, or None.
        digests: those of `checksums.parquet`, or None.
        several: whether there is more than one configuration.
        clips: checks the order of frames, where rows are frames of clips; there are no views to be missed then.
        """
        self.views, self.frozen, self.digests, self.several, self.clips = views, frozen, digests, several, clips
        self.at_rest = 0
        self.characters: dict[tuple[str, str], _Character] = {}
        self.sizes: dict[tuple[int, int], tuple[int, list[str]]] = {}
        self.targets: dict[str, bytes] = {}
        self.copies: dict[str, list[int]] = {}
        self.exchanged: dict[str, list[int]] = {}
        self.fronts: dict[bytes, tuple[str, str, str]] = {}
        self.parted: dict[tuple[str, str], dict[int, Glimpse]] = {}

    @property
    def licenses(self) -> dict[str, str | None]:
        """What the rows state of each character; all None where they have no such column."""
        return {i: dict(known.constants).get("license") for (_, i), known in self.characters.items()}

    def feed(self, shard: Shard, row: RowFacts, findings: Findings) -> None:
        """Compare a row with those before it."""
        known = self.characters.setdefault((shard.config, row.character_id), _Character({shard.split}, row.constants))
        known.splits.add(shard.split)
        standing = VIEWS if self.clips is None else CLIPS
        if self.clips is not None and row.place is not None:
            self.clips.feed(shard.config, row.uid, row.character_id, row.place, findings)
        elif row.view in known.views:
            findings.add(VIEWS, row.uid, f"stands more than once in {shard.config}")
        known.views.add(row.view)
        for (name, value), (_, first) in zip(row.constants, known.constants, strict=True):
            if value != first:
                others = "views" if self.clips is None else "frames"
                message = f"{name} is {_short(value)} but {_short(first)} in another of its {others}"
                findings.add(LICENSES if name == "license" else standing, row.uid, message)
        if row.size is not None:
            count, uids = self.sizes.get(row.size, (0, []))
            self.sizes[row.size] = (count + 1, uids if len(uids) >= MOST_LISTED else [*uids, row.uid])
        copies = self.copies.setdefault(shard.config, [0, 0])
        copies[0] += row.mask_is_target
        copies[1] += 1
        exchanged = self.exchanged.setdefault(shard.config, [0, 0])
        exchanged[0] += row.exchanged
        exchanged[1] += 1
        if row.front is not None:
            other, uid, split = self.fronts.setdefault(row.front, (row.character_id, row.uid, shard.split))
            if other != row.character_id and split != shard.split:
                findings.add(SPLITS, row.uid, f"shows the same character as {uid} of {split}")
        columns = list(IMAGE_COLUMNS)
        if self.several:
            target = row.digests[columns.index(GT)] + row.digests[columns.index(GT_MASK)]
            if self.targets.setdefault(row.uid, target) != target:
                findings.add(
                    standing, row.uid, f"gt or gt_mask differ between {shard.config} and another configuration"
                )
        if self.digests is not None:
            self._compare(shard.config, row, columns, findings)

    def feed_parted(self, config: str, parted: Mapping[str, dict[int, Glimpse]], findings: Findings) -> None:
        """Take what a row group showed of characters whose rows lie in more than one, in the order of the dataset."""
        for key in [key for key in self.parted if key[0] != config or key[1] not in parted]:
            check_character(partial(row_uid, key[1]), self.parted.pop(key), self.views, findings)
        for character_id, seen in parted.items():
            self.parted.setdefault((config, character_id), {}).update(seen)

    def _compare(self, config: str, row: RowFacts, columns: list[str], findings: Findings) -> None:
        assert self.digests is not None
        listed = self.digests.take(config, row.uid)
        if listed is None:
            findings.add(DIGESTS, row.uid, f"is not listed in {CHECKSUMS_FILE} (or stands twice) for {config}")
            return
        for index, (column, found) in enumerate(zip(columns, row.digests, strict=True)):
            wanted = listed[index * _DIGEST_BYTES : (index + 1) * _DIGEST_BYTES]
            if not any(wanted):
                if found:
                    findings.add(DIGESTS, row.uid, f"{column} is not listed in {CHECKSUMS_FILE}")
            elif found != wanted:
                findings.add(DIGESTS, row.uid, f"{column} is not the image that {CHECKSUMS_FILE} lists")

    def finish(self, size: int | None, unread: bool, findings: Findings) -> None:
        """Say what only the whole tells.

        Args:
            size: that all images must have, or None for that of most.
            unread: whether some rows could not be read, so that their absence is no other problem.
            findings: where problems go.
        """
        self.feed_parted("", {}, findings)
        if self.clips is not None:
            self.clips.close(findings)
        for config, (count, rows) in self.exchanged.items():
            if 2 * count > rows:
                findings.add(IMAGES, config, f"{EXCHANGED} in {count} of {plural(rows, 'row')}")
        by_character: dict[str, set[str]] = {}
        for (config, character_id), known in self.characters.items():
            by_character.setdefault(character_id, set()).update(known.splits)
            missing = sorted(set(range(self.views)) - known.views)
            if missing and not unread and self.clips is None:
                views = "views" if len(missing) > 1 else "view"
                listed = some([str(view) for view in missing], 10)
                findings.add(VIEWS, character_id, f"lacks {views} {listed} of {self.views} in {config}")
        for character_id, found in by_character.items():
            if len(found) > 1:
                findings.add(SPLITS, character_id, f"stands in {' and in '.join(sorted(found))}")
            if self.frozen is None:
                continue
            promised = self.frozen.get(character_id)
            if promised is None:
                findings.add(SPLITS, character_id, f"is not in {SPLITS_FILE}")
            elif promised not in found or (len(found) == 1 and found != {promised}):
                findings.add(
                    SPLITS, character_id, f"is in {', '.join(sorted(found))} but in {promised} by {SPLITS_FILE}"
                )
        if self.sizes:
            common = max(self.sizes, key=lambda s: self.sizes[s][0])
            wanted = (size, size) if size is not None else common
            for (width, height), (count, uids) in self.sizes.items():
                if (width, height) != wanted:
                    for uid in uids:
                        message = f"its images have {width} x {height} pixels, not {wanted[0]} x {wanted[1]}"
                        findings.add(IMAGES, uid, message)
                    findings.counts[IMAGES] += count - len(uids)
        if self.digests is not None and not unread:
            for config, uid in self.digests.rest():
                findings.add(DIGESTS, uid, f"is listed in {CHECKSUMS_FILE} but not in {config}")

    def notes(self) -> list[str]:
        """What is unusual without being wrong."""
        return [
            f"in {config} every mask is the ground truth's: right only for a reconstruction without any fault"
            for config, (same, rows) in self.copies.items()
            if same == rows
        ]


def _short(value: Any) -> str:
    return "another" if isinstance(value, tuple) else repr(value)


def read_frozen_splits(folder: Path, findings: Findings) -> dict[str, str] | None:
    """Splits by id of `splits.json`, or None where there is none to read."""
    if not (folder / SPLITS_FILE).is_file():
        return None
    try:
        return splits.from_json(folder / SPLITS_FILE)
    except SpecsiaError as error:
        findings.add(SPLITS, SPLITS_FILE, str(error).replace(f"{folder / SPLITS_FILE} ", "", 1))
        return None


def split_notes(frozen: Mapping[str, str]) -> list[str]:
    """A note where splits are not those that the rule draws for their ids."""
    drawn = splits.assign(frozen, {})
    other = sorted((i for i in frozen if frozen[i] != drawn[i]), key=id_order_key)
    if not other:
        return []
    return [
        f"{len(other)} of {len(frozen)} ids of {SPLITS_FILE} are in another split than the rule draws for them "
        f"({other[0]}, say): right where a manifest fixed splits or characters were added later"
    ]
