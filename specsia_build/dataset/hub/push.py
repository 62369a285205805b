"""Push a packed dataset to a Hub: plan, send, commit once, verify, tag.

The contents of large files go first, one after another; one commit then takes the repository from what it held to what
the dataset holds, so that nobody ever loads a half. A push that was interrupted is begun again by the same call: what
arrived whole is not sent again, and what becomes of the file that was under way is the matter of huggingface_hub.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, DatasetInfo, constants
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from specsia_build.dataset.card.licenses import redistribution_problems
from specsia_build.dataset.checksums import own_names, parse_sums
from specsia_build.dataset.hub.client import DATASET, Hub, patiently
from specsia_build.dataset.hub.local import LocalFile
from specsia_build.dataset.places import MOST_READ
from specsia_build.dataset.schema import CARD, SUMS_FILE
from specsia_build.errors import SpecsiaError, UsageError, brief, some

KEPT = frozenset({".gitattributes"})
"""Files of the repository itself, which no dataset holds and no push deletes."""

SMALL_BYTES, MOST_TOGETHER = 250_000, 100
"""Files of no more bytes are sent so many at once."""

_GONE = frozenset({400, 403, 404, 409, 410})
"""What a storage answers to an address that has expired, or to a second request to join parts that are joined."""


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


@dataclass(frozen=True)
class Pushed:
    """How a push ended.

    Attributes:
        plan: what it did.
        commit: that the repository is at.
        files: that were compared.
        differences: by name of a file, what is wrong with the remote one; empty if the remote is the dataset.
    """

    plan: Plan
    commit: str
    files: int
    differences: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """Whether the remote holds exactly the dataset."""
        return not self.differences

    def to_json(self) -> dict[str, Any]:
        """The plan and its outcome as a JSON document."""
        outcome = {"ok": self.ok, "commit": self.commit, "files": self.files, "differences": dict(self.differences)}
        return {**self.plan.to_json(), **outcome}


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
    info = _info(hub)
    if info is not None and not info.private and not public:
        raise SpecsiaError(f"{hub.repo} is public: give --public to push to it, or make it private in its settings")
    remote = {} if info is None else _listing(hub, str(info.sha))
    changed = [file for file in files if not _same(file, remote.get(file.name))]
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
    tags = set() if info is None else _tags(hub)
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
    note = f"{why}: these are the steps if {repo} is not there"
    return Plan(repo, page, not public, None, (*steps, Operation("tag", version)), 0, version, (note,))


def push(hub: Hub, plan: Plan, files: Sequence[LocalFile], advance: Callable[[int], None] = lambda _: None) -> Pushed:
    """Carry a plan out, and compare the remote files with the local ones before the version is tagged.

    Args:
        hub: where to.
        plan: of `plan_push`.
        files: of the dataset.
        advance: called with bytes of the files to be sent that have arrived.

    Raises:
        SpecsiaError: if the Hub refuses a file.
    """
    if plan.head is None:
        _create(hub, plan.private)
    commit = plan.head or _head(hub)
    if plan.of("add", "replace", "delete"):
        commit = _send_and_commit(hub, plan, files, commit, advance)
    differences = compare(hub, files, commit, plan.spared)
    if not differences and plan.of("tag"):
        patiently(lambda: hub.api.create_tag(hub.repo, tag=plan.tag, revision=commit, repo_type=DATASET, exist_ok=True))
    return Pushed(plan, commit, len(files), differences)


def compare(hub: Hub, files: Sequence[LocalFile], revision: str, spared: Collection[str]) -> dict[str, str]:
    """What is wrong with the remote files, by name: by size and SHA-256, or SHA-1 of the git object outside of LFS.

    Those that are `spared` may be there besides.
    """
    remote = _listing(hub, revision)
    found = {}
    for file in files:
        there = remote.get(file.name)
        if there is None:
            found[file.name] = "is missing"
        elif there.size != file.size:
            found[file.name] = f"has {there.size} bytes instead of {file.size}"
        elif not _same(file, there):
            found[file.name] = "has another checksum"
    local = {file.name for file in files} | KEPT | set(spared)
    return found | {name: "is no part of the dataset" for name in remote if name not in local}


def _send_and_commit(
    hub: Hub, plan: Plan, files: Sequence[LocalFile], head: str, advance: Callable[[int], None]
) -> str:
    names = {operation.name for operation in plan.of("add", "replace")}
    additions = [_addition(file) for file in files if file.name in names]
    with _transfers(_takes_xet(hub)):
        for together in _portions(additions):
            # One portion at a time: what is finished before a kill is not sent again.
            _send(hub, together)
            advance(sum(addition.upload_info.size for addition in together))
        return patiently(lambda: _commit(hub, plan, files, additions, head))


def _portions(additions: Sequence[CommitOperationAdd]) -> Iterator[list[CommitOperationAdd]]:
    """Small files together, as each portion costs some requests; large ones one by one."""
    portion: list[CommitOperationAdd] = []
    for addition in additions:
        if addition.upload_info.size > SMALL_BYTES:
            yield [addition]
            continue
        portion.append(addition)
        if len(portion) == MOST_TOGETHER:
            yield portion
            portion = []
    if portion:
        yield portion


def _send(hub: Hub, additions: list[CommitOperationAdd]) -> None:
    """Bring files' content to the storage, unless it is there or the Hub wants it in the commit itself."""

    def send() -> None:
        patiently(lambda: hub.api.preupload_lfs_files(hub.repo, additions, repo_type=DATASET, free_memory=False))

    try:
        send()
    except RuntimeError as error:
        # So huggingface_hub raises what the storage answered.
        refusal = error.__cause__
        if not isinstance(refusal, HfHubHTTPError) or refusal.response.status_code not in _GONE:
            raise
        # The Hub tells whether the content came through and only the answer was lost, and gives out new addresses.
        send()


def _commit(
    hub: Hub, plan: Plan, files: Sequence[LocalFile], additions: Sequence[CommitOperationAdd], head: str
) -> str:
    """One commit over `head`; where an earlier try came through and only its answer was lost, the id of that one."""
    now = _head(hub)
    if now != head and not compare(hub, files, now, plan.spared):
        return now
    deletions = [CommitOperationDelete(operation.name, is_folder=False) for operation in plan.of("delete")]
    message = f"Push {plan.tag}"
    made = hub.api.create_commit(
        hub.repo, [*deletions, *additions], commit_message=message, repo_type=DATASET, parent_commit=head
    )
    return str(made.oid)


def _addition(file: LocalFile) -> CommitOperationAdd:
    addition = CommitOperationAdd(file.name, str(file.path))
    # Known already, so that nobody reads the file once more for it.
    addition.upload_info.sha256 = bytes.fromhex(file.sha256)
    return addition


def _info(hub: Hub) -> DatasetInfo | None:
    try:
        return patiently(lambda: hub.api.dataset_info(hub.repo))
    except RepositoryNotFoundError as error:
        # A Hub answers so to a token that it does not know, too.
        if error.response.status_code == 401:
            raise
        return None


def _create(hub: Hub, private: bool) -> None:
    try:
        patiently(lambda: hub.api.create_repo(hub.repo, private=private, repo_type=DATASET))
    except HfHubHTTPError as error:
        # There already: an earlier try came through and only its answer was lost.
        if error.response.status_code != 409:
            raise


def _head(hub: Hub) -> str:
    return str(patiently(lambda: hub.api.dataset_info(hub.repo)).sha)


def _listing(hub: Hub, revision: str) -> dict[str, RepoFile]:
    entries = hub.api.list_repo_tree(hub.repo, recursive=True, revision=revision, repo_type=DATASET)
    return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}


def _tags(hub: Hub) -> set[str]:
    return {tag.name for tag in patiently(lambda: hub.api.list_repo_refs(hub.repo, repo_type=DATASET)).tags}


def _tag(hub: Hub, files: Sequence[LocalFile], version: str, tags: Set[str], spared: Collection[str]) -> str:
    """The version's tag; a tag that is there is never moved to another content."""
    if version not in tags or not compare(hub, files, version, spared):
        return version
    sums = next(file.sha256 for file in files if file.name == SUMS_FILE)
    return f"{version}-{sums[:8]}"


def _same(file: LocalFile, there: RepoFile | None) -> bool:
    if there is None or there.size != file.size:
        return False
    return there.lfs.sha256 == file.sha256 if there.lfs else there.blob_id == file.blob


def _takes_xet(hub: Hub) -> bool:
    """Whether files go by Xet, which sends only chunks that are new, or by LFS, as this machine and the Hub allow."""
    if constants.HF_HUB_DISABLE_XET or importlib.util.find_spec("hf_xet") is None:
        return False
    try:
        hub.get(f"{hub.api.endpoint}/api/datasets/{hub.repo}/xet-write-token/main")
    except HfHubHTTPError as error:
        if error.response.status_code != 404:
            raise
        return False
    return True


@contextmanager
def _transfers(xet: bool) -> Iterator[None]:
    """Have huggingface_hub take the same way, as it does not ask whether the Hub has Xet."""
    before, quiet = constants.HF_HUB_DISABLE_XET, are_progress_bars_disabled()
    constants.HF_HUB_DISABLE_XET = not xet
    # Every second it notes what has arrived, so that a kill loses little; by itself it would every 20.
    os.environ.setdefault("HF_XET_DATA_SESSION_XORB_METADATA_FLUSH_INTERVAL", "1s")
    if not (xet and sys.stderr.isatty()):
        disable_progress_bars()
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET = before
        if not quiet:
            enable_progress_bars()
