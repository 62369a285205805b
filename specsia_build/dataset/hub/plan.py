"""What a push would do: which files are sent, which go, and what is said about it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from huggingface_hub.hf_api import RepoFile

from specsia_build.dataset.card.licences import redistribution_problems
from specsia_build.dataset.checksums import own_names, parse_sums
from specsia_build.dataset.hub.client import Hub
from specsia_build.dataset.hub.local import LocalFile
from specsia_build.dataset.hub.remote import KEPT, compare, listing, same, state_of, tags_of
from specsia_build.dataset.places import MOST_READ
from specsia_build.dataset.schema import CARD, SUMS_FILE
from specsia_build.errors import SpecsiaError, UsageError, brief, some


@dataclass(frozen=True)
class Operation:
    """One step of a push.

    Attributes:
        kind: `create`, `add`, `replace`, `delete` or `tag`.
        name: of the repository, the file, or the tag.
        size: bytes of the file that is added or deleted.
    """

    kind: str
    name: str
    size: int = 0


@dataclass(frozen=True)
class Plan:
    """What a push does, in its order.

    Attributes:
        repo: `OWNER/NAME`.
        page: its address.
        private: whether only its owner sees it.
        head: commit that the plan starts from; None where there is no repository yet.
        operations: what is to be done; empty where the repository is the dataset already.
        kept: files that are there as they should be.
        spared: names of files there that no push made, and that stay.
        tag: that names the version in the end.
        notes: sentences on what may surprise.
    """

    repo: str
    page: str
    private: bool
    head: str | None
    operations: tuple[Operation, ...]
    kept: int
    tag: str
    notes: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()

    def of(self, *kinds: str) -> list[Operation]:
        """The operations of some kinds."""
        return [operation for operation in self.operations if operation.kind in kinds]

    @property
    def size(self) -> int:
        """Bytes of the files that are added or replaced."""
        return sum(operation.size for operation in self.of("add", "replace"))

    def to_json(self) -> dict[str, Any]:
        """The plan as a JSON document."""
        return {
            "repo": self.repo,
            "url": self.page,
            "private": self.private,
            "operations": [vars(operation) for operation in self.operations],
            "bytes": self.size,
            "kept": self.kept,
            "tag": self.tag,
            "spared": list(self.spared),
            "notes": list(self.notes),
        }


def check_public(folder: Path, problems_of: Callable[[Path], Sequence[str]] = redistribution_problems) -> None:
    """Refuse a dataset that may not be passed on.

    Args:
        folder: of it.
        problems_of: gives a clause for each licence that stands against it.

    Raises:
        SpecsiaError: if a licence is unknown, or forbids it, or cannot be read.
    """
    try:
        problems = problems_of(folder)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise SpecsiaError(f"the licences in {folder} cannot be read: {brief(str(error))}") from error
    if problems:
        raise SpecsiaError(
            f"{folder} cannot be made public: it holds {'; '.join(problems)}; state the licence of each character in "
            "the manifest (an SPDX id, or LicenseRef-NAME for one you have read and may pass on under), or push it "
            "--private"
        )


def plan_push(hub: Hub, files: Sequence[LocalFile], version: str, public: bool, prune: bool = False) -> Plan:
    """Compare a dataset with what the Hub has; nothing is changed there.

    Args:
        hub: where to.
        files: of the dataset.
        version: tag of the version; where it names another content already, the digest of the dataset is added.
        public: whether everybody shall see it.
        prune: also replace and delete files that no push made, but for the repository's own.

    Raises:
        UsageError: if a file that no push made, or a card edited since, stands where one of the dataset belongs, and
            `prune` is not given.
        SpecsiaError: if the repository is public and the push is not meant to be.
    """
    info = state_of(hub)
    if info is not None and not info.private and not public:
        raise SpecsiaError(f"{hub.repo} is public: give --public to push to it, or make it private in its settings")
    remote = {} if info is None else listing(hub, str(info.sha))
    changed = [file for file in files if not same(file, remote.get(file.name))]
    local = {file.name for file in files} | KEPT
    made = remote.keys() if prune else _made(hub, remote, "" if info is None else str(info.sha))
    taken = [file.name for file in changed if file.name in remote and file.name not in made]
    if taken:
        raise UsageError(
            f"{hub.repo} holds {some(taken)}, made by no push or edited since, where files of the dataset belong: look "
            "at the repository, and give --prune to replace them and to remove all else that is not the dataset's"
        )
    surplus = [name for name in remote if name not in local]
    spared = tuple(name for name in surplus if name not in made)
    tags = set() if info is None else tags_of(hub)
    tag = _tag(hub, files, version, tags, spared)
    steps = [] if info is not None else [Operation("create", hub.repo)]
    steps += [Operation("replace" if file.name in remote else "add", file.name, file.size) for file in changed]
    steps += [Operation("delete", name, remote[name].size) for name in surplus if name in made]
    steps += [Operation("tag", tag)] if tag not in tags else []
    return Plan(
        repo=hub.repo,
        page=hub.page,
        private=not public if info is None else bool(info.private),
        head=None if info is None else str(info.sha),
        operations=tuple(steps),
        kept=len(files) - len(changed),
        tag=tag,
        notes=tuple(_notes(hub.repo, info is not None and bool(info.private) and public, spared)),
        spared=spared,
    )


def _notes(repo: str, stays_private: bool, spared: Sequence[str]) -> Iterator[str]:
    if stays_private:
        yield f"{repo} is private and stays so until you change it in its settings"
    if spared:
        yield f"made by no push and left there, as --prune is not given: {some(spared)}"


def _made(hub: Hub, remote: Mapping[str, RepoFile], revision: str) -> Set[str]:
    """Names of the files that the push before this one made, as its `SHA256SUMS` lists them.

    The card is not among them where somebody has edited it since.
    """
    there = remote.get(SUMS_FILE)
    if there is None:
        return frozenset()
    if there.size > MOST_READ:
        raise SpecsiaError(f"{SUMS_FILE} of {hub.repo} cannot be read: it has {there.size / 2**20:,.0f} MB")
    text = hub.get(f"{hub.page}/resolve/{revision}/{SUMS_FILE}").decode("utf-8", errors="replace")
    made, card = own_names(text), remote.get(CARD)
    if card is None or CARD not in made:
        return made
    edited = card.size > MOST_READ or (
        hashlib.sha256(hub.get(f"{hub.page}/resolve/{revision}/{CARD}")).hexdigest() != parse_sums(text)[0][CARD]
    )
    return made - {CARD} if edited else made


def plan_unseen(page: str, repo: str, files: Sequence[LocalFile], version: str, public: bool, why: str) -> Plan:
    """The steps of a push to a repository of which nothing is known: those for one that is not there.

    Args:
        page: its address.
        repo: `OWNER/NAME`.
        files: of the dataset.
        version: tag of the version.
        public: whether everybody shall see it.
        why: nothing is known, a clause.
    """
    steps = [Operation("create", repo), *(Operation("add", file.name, file.size) for file in files)]
    note = f"these are the steps if {repo} is not there, as nobody could look: {why}"
    return Plan(repo, page, not public, None, (*steps, Operation("tag", version)), 0, version, (note,))


def _tag(hub: Hub, files: Sequence[LocalFile], version: str, tags: Set[str], spared: Collection[str]) -> str:
    """The version's tag; a tag that is there is never moved to another content."""
    if version not in tags or not compare(hub, files, version, spared):
        return version
    sums = next(file.sha256 for file in files if file.name == SUMS_FILE)
    return f"{version}-{sums[:8]}"
