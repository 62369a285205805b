"""Push a packed dataset to a Hub: plan, send, commit once, verify, tag.

The contents of large files go first, one after another; one commit then takes the repository from what it held to what
the dataset holds, so that nobody ever loads a half. A push that was interrupted is begun again by the same call: what
arrived whole is not sent again, and what becomes of the file that was under way is the matter of huggingface_hub.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, constants
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from specsia_build.dataset.hub.client import DATASET, Hub, patiently
from specsia_build.dataset.hub.local import LocalFile
from specsia_build.dataset.hub.plan import Plan
from specsia_build.dataset.hub.remote import compare, head_of

SMALL_BYTES, MOST_TOGETHER = 250_000, 100
"""Files of no more bytes are sent so many at once."""

_GONE = frozenset({400, 403, 404, 409, 410})
"""What a storage answers to an address that has expired, or to a second request to join parts that are joined."""


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
    commit = plan.head or head_of(hub)
    if plan.of("add", "replace", "delete"):
        commit = _send_and_commit(hub, plan, files, commit, advance)
    differences = compare(hub, files, commit, plan.spared)
    if not differences and plan.of("tag"):
        patiently(lambda: hub.api.create_tag(hub.repo, tag=plan.tag, revision=commit, repo_type=DATASET, exist_ok=True))
    return Pushed(plan, commit, len(files), differences)


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
    now = head_of(hub)
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


def _create(hub: Hub, private: bool) -> None:
    try:
        patiently(lambda: hub.api.create_repo(hub.repo, private=private, repo_type=DATASET))
    except HfHubHTTPError as error:
        # There already: an earlier try came through and only its answer was lost.
        if error.response.status_code != 409:
            raise


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
