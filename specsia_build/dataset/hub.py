"""Push a packed dataset to a Hub: plan, send, commit once, verify, tag.

The contents of large files go first, each resumable; one commit then takes the repository from what it held to what the
dataset holds, so that nobody ever loads a half. A push that was interrupted is begun again by the same call and sends
what is missing.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, DatasetInfo, constants
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils._http import hf_raise_for_status, http_backoff
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from specsia_build.dataset.hub_client import DATASET, Hub, patiently
from specsia_build.dataset.hub_local import LocalFile
from specsia_build.dataset.hub_parts import forget_others, send
from specsia_build.dataset.licenses import redistribution_problems
from specsia_build.dataset.schema import SUMS_FILE
from specsia_build.errors import SpecsiaError

KEPT = frozenset({".gitattributes"})
"""Files of the repository itself, which no dataset holds and no push deletes."""

LARGE = ".parquet"
"""Suffix of files whose content goes to the large-file storage ahead of the commit, as the Hub asks of parquet."""


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


def check_public(folder: Path) -> None:
    """Refuse a dataset that may not be passed on.

    Raises:
        SpecsiaError: if a row's licence is unknown, or forbids it, or cannot be read.
    """
    try:
        problems = redistribution_problems(folder)
    except (OSError, pa.ArrowException) as error:
        raise SpecsiaError(f"the licences in {folder} cannot be read: {' '.join(str(error).split())}") from error
    if problems:
        raise SpecsiaError(
            f"{folder} cannot be made public: it holds {'; '.join(problems)}; state the licence of each character in "
            "the manifest (an SPDX id, or LicenseRef-NAME for one you have read and may pass on under), or push it "
            "--private"
        )


def plan_push(hub: Hub, files: Sequence[LocalFile], version: str, public: bool) -> Plan:
    """Compare a dataset with what the Hub has; nothing is changed there.

    Args:
        hub: where to.
        files: of the dataset.
        version: tag of the version; where it names another content already, the digest of the dataset is added.
        public: whether everybody shall see it.

    Raises:
        SpecsiaError: if the repository is public and the push is not meant to be.
    """
    info = _info(hub)
    if info is not None and not info.private and not public:
        raise SpecsiaError(f"{hub.repo} is public: give --public to push to it, or make it private in its settings")
    stays_private = info is not None and info.private and public
    remote = {} if info is None else _listing(hub, str(info.sha))
    changed = [file for file in files if not _same(file, remote.get(file.name))]
    local = {file.name for file in files} | KEPT
    tags = set() if info is None else _tags(hub)
    tag = _tag(hub, files, version, tags)
    steps = [] if info is not None else [Operation("create", hub.repo)]
    steps += [Operation("replace" if file.name in remote else "add", file.name, file.size) for file in changed]
    steps += [Operation("delete", name, there.size) for name, there in remote.items() if name not in local]
    steps += [Operation("tag", tag)] if tag not in tags else []
    return Plan(
        repo=hub.repo,
        page=hub.page,
        private=not public if info is None else bool(info.private),
        head=None if info is None else str(info.sha),
        operations=tuple(steps),
        kept=len(files) - len(changed),
        tag=tag,
        notes=(f"{hub.repo} is private and stays so until you change it in its settings",) if stays_private else (),
    )


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
    differences = compare(hub, files, commit)
    if not differences and plan.of("tag"):
        patiently(lambda: hub.api.create_tag(hub.repo, tag=plan.tag, revision=commit, repo_type=DATASET, exist_ok=True))
    return Pushed(plan, commit, len(files), differences)


def compare(hub: Hub, files: Sequence[LocalFile], revision: str) -> dict[str, str]:
    """What is wrong with the remote files, by name: by size and SHA-256, or SHA-1 of the git object outside of LFS."""
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
    local = {file.name for file in files} | KEPT
    return found | {name: "is no part of the dataset" for name in remote if name not in local}


def _send_and_commit(
    hub: Hub, plan: Plan, files: Sequence[LocalFile], head: str, advance: Callable[[int], None]
) -> str:
    names = {operation.name for operation in plan.of("add", "replace")}
    additions = {file: _addition(file) for file in files if file.name in names}
    forget_others(hub, {file.sha256 for file in additions})
    xet = _takes_xet(hub)
    with _transfers(xet):
        for file, addition in additions.items():
            if not file.name.endswith(LARGE):
                continue
            if xet:
                # One at a time: what is finished before a kill is not sent again.
                hub.api.preupload_lfs_files(hub.repo, [addition], repo_type=DATASET, free_memory=False)
                advance(file.size)
            else:
                send(hub, addition, advance)
        commit = patiently(lambda: _commit(hub, plan, files, list(additions.values()), head))
    advance(sum(file.size for file in additions if not file.name.endswith(LARGE)))
    return commit


def _commit(
    hub: Hub, plan: Plan, files: Sequence[LocalFile], additions: Sequence[CommitOperationAdd], head: str
) -> str:
    """One commit over `head`; where an earlier try came through and only its answer was lost, the id of that one."""
    now = _head(hub)
    if now != head and not compare(hub, files, now):
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


def _tag(hub: Hub, files: Sequence[LocalFile], version: str, tags: Set[str]) -> str:
    """The version's tag; a tag that is there is never moved to another content."""
    if version not in tags or not compare(hub, files, version):
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
    url = f"{hub.api.endpoint}/api/datasets/{hub.repo}/xet-write-token/{constants.DEFAULT_REVISION}"
    answer = http_backoff("GET", url, headers=hub.headers)
    if answer.status_code == 404:
        return False
    hf_raise_for_status(answer)
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
