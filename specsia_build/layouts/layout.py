"""The interface of layouts: what leaves a run or a dataset, as files that some project's loader reads."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

from specsia_build.characters.character import id_order_key
from specsia_build.config import BuildConfig, ClipSettings
from specsia_build.dataset.schema import CARD, RECORD_FILE, SPLITS, SPLITS_FILE, TEASER
from specsia_build.dataset.splits import ids_in
from specsia_build.dataset.verify.report import Progress, Report
from specsia_build.files.digests import canonical_json, sha256
from specsia_build.layouts.card import Counts, counted, folder_card
from specsia_build.layouts.checks import MOST_PICTURES, check_part
from specsia_build.layouts.part import Facts, Load, Member, Part, Parts, Unit, Written
from specsia_build.layouts.teaser import write_teaser
from specsia_build.layouts.verify_folder import FOLDER_KIND, verify_folder

Shows = Literal["characters", "both", "pairs", "views"]


class Group(NamedTuple):
    """The key and the members of a part, and what decides its files beside `Layout.options`."""

    key: str
    members: Sequence[Member]
    options: Mapping[str, Any] = MappingProxyType({})


class Layout(ABC):
    """A layout, written part by part in worker processes into a folder of its own.

    To add one, subclass this with a constructor without arguments, and declare the class under its name as an
    entry point of the group ``specsia.layouts``; docs/layouts.md shows one whole.
    """

    name: ClassVar[str]  # Name on the command line and of the folder
    version: ClassVar[int] = 1  # To be raised whenever the same pictures give other files
    title: ClassVar[str]  # One line about the layout
    loading: ClassVar[str]  # Markdown for the card: the layout, and how to load it with its reader
    # What a part is: a `clip`; all clips or views of a `character`; or a file of many rows, each of which is
    # a `view` or frame
    unit: ClassVar[Unit] = "clip"
    # Names of `dataset.layers.LAYERS` that are needed of each clean frame of a clip
    layers: ClassVar[Sequence[str]]
    # Settings used where the user states none: `size`, or settings of clips such as `fps`
    defaults: ClassVar[Mapping[str, Any]] = {}
    # The `characters` themselves; `both` these and, in `NAME-BACKEND`, reconstructions that move; or `pairs`
    # of a reconstruction and its character; or `views` that are drawn anew from characters
    shows: ClassVar[Shows] = "characters"
    joins_backends: ClassVar[bool] = False  # Whether pairs of several backends lie in one folder
    folder: ClassVar[str | None] = None  # Name of its folder in a run, if that is not its own name
    least: ClassVar[int] = 0  # Names that the list of `train` needs for the trainer to train on one
    held_out: ClassVar[str] = ""  # What the trainer holds out of that list
    steps: ClassVar[str] = ""  # Lines of configuration that the trainer needs; FOLDER stands for the folder

    @property
    def part_noun(self) -> str:
        """What one part is called where parts are counted."""
        return "file" if self.unit == "view" else self.unit

    def check(self, config: BuildConfig) -> None:  # noqa: B027  most layouts accept all settings
        """Raise UsageError, with advice, if the layout's reader cannot take the result of these settings."""

    def layers_for(self, clips: ClipSettings | None) -> Sequence[str]:
        """Return the layers that are needed with these settings of clips; `layers` unless overridden."""
        return self.layers

    def options(self, config: BuildConfig) -> Mapping[str, Any]:
        """Return what decides the files beside the pictures, JSON-serialisable."""
        return {}

    def group(self, members: Sequence[Member], splits: Mapping[str, str]) -> Iterator[Group]:
        """Yield what each part is made of; `splits` is the split of each id of the source."""
        groups: dict[str, list[Member]] = {}
        for member in members:
            key = member.id if self.unit == "clip" else member.character
            groups.setdefault(key, []).append(member)
        yield from map(Group, groups.keys(), groups.values())

    def parts(
        self,
        members: Sequence[Member],
        splits: Mapping[str, str],
        options: Mapping[str, Any],
        load: Callable[[Sequence[Member]], Load],
    ) -> list[tuple[Part, str]]:
        """The parts of a folder with their fingerprints, sorted by key; `load` gives what loads a part's."""
        parts = []
        for key, group, own in self.group(members, splits):
            split = splits[group[0].character]
            part = Part(key, split, tuple(group), {**options, **own}, load(group))
            parts.append((part, self.fingerprint(part)))
        return sorted(parts, key=lambda part: part[0].key)

    def fingerprint(self, part: Part) -> str:
        """SHA-256 of all that decides the files of a part."""
        first = part.members[0]
        members = [[member.id, member.digest] for member in part.members]
        facts = [part.options, part.split, first.license, first.credit]
        return sha256(canonical_json([self.name, self.version, *facts, members]).encode())

    @abstractmethod
    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        """Write the files of a part into an empty folder, from which they are moved to the layout's folder.

        No two parts may share a name. Returns facts, JSON-serialisable: `frames`, their number; `left_out`,
        the number of frames that the reader cannot take; and whatever `whole` and `check_part` need. Raises
        CharacterError if the reader can take nothing of this part, which is then left out.
        """

    def whole(self, parts: Iterable[Written]) -> Iterable[tuple[str, bytes]]:
        """Return names and bytes of more files about all parts, which come sorted by key."""
        return ()

    def card(self, counts: Counts, facts: Facts, pictured: bool) -> str:
        """Text of the README.md, which shows a teaser if the folder is `pictured`."""
        return folder_card(self, counts, facts, pictured)

    def finish(self, folder: Path, parts: Parts, facts: Facts) -> Iterator[tuple[str, bytes]]:
        """Yield names and bytes of the files about all parts, which are in the folder, sorted by key."""
        counts = counted(parts())
        teaser = write_teaser(folder, parts, counts.total("parts"))
        yield CARD, self.card(counts, facts, teaser is not None).encode()
        if teaser is not None:
            yield TEASER, teaser
        splits = {name: counts.characters[name] for name in sorted(counts.characters, key=id_order_key)}
        yield SPLITS_FILE, json_text({split: ids_in(splits, split) for split in SPLITS})
        record = {"kind": FOLDER_KIND, "layout": self.name, "version": self.version, **facts.build}
        record |= {"backend": facts.backend, "planned": facts.planned}
        record |= {"quarantined": sum(facts.quarantined.values()), "left_out": facts.left_out}
        yield RECORD_FILE, json_text(record)
        yield from self.whole(parts())

    def expected(self, part: Written) -> Mapping[str, int] | None:
        """Return the names of a part's files, with the number of frames of films, else 0; None if unknown."""
        return None

    def check_part(self, folder: Path, part: Written) -> Iterator[str]:
        """Check the files of a part, all of which exist; called in worker processes.

        The folder may come from somebody else. Yields problems that begin with the name of a file, such as
        ``a-walk-00/mask/0003.png is missing``.
        """
        if part.facts.get("frames", 0) > MOST_PICTURES:
            yield f"{part.key} has more than {MOST_PICTURES} frames"
            return
        yield from check_part(folder, part, self.expected(part))

    def verify(self, where: str, workers: int, progress: Progress) -> Report:
        """Check a folder of this layout, or whatever place `where` names."""
        return verify_folder(Path(where), self.name, self.check_part, workers, progress)


def json_text(value: Any) -> bytes:
    """Indented JSON with a final line break."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
