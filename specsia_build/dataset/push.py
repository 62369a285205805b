"""Push a packed dataset to the Hub in one commit, compare by checksum, and tag; requests are `huggingface_hub`'s."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    DatasetInfo,
    HfApi,
    constants,
    get_token,
    is_offline_mode,
)
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import logging as hub_logging
from huggingface_hub.utils.tqdm import disable_progress_bars

from specsia_build.dataset.checksums import own_names, parse_sums
from specsia_build.dataset.licences import redistribution_problems
from specsia_build.dataset.local_files import LocalFile
from specsia_build.dataset.places import read_errors
from specsia_build.dataset.schema import CARD, SUMS_FILE
from specsia_build.errors import SpecsiaError, UsageError, brief, some

_DATASET = "dataset"

_KEPT = frozenset({".gitattributes"})
"""Files of the repository itself, which no push deletes."""

LOOK_SECONDS = 2.0
"""Time limit of the only request of a dry run without a network."""

_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)

_ADVICE = {
    401: "the token is not accepted: run `hf auth login`, or set HF_TOKEN to a token that may write to {owner}",
    403: "this token may not write to {repo}: use a token with write access to {owner}, or another --repo",
    404: "{repo} is not there, or this token may not see it: check --repo and the token",
    412: "someone else changed {repo} during the push: look at it, then run the same command again",
}
_LATER = "run the same command later; it goes on from here"


class UnseenError(SpecsiaError):
    """The state of a repository is unknown, as the Hub cannot be reached or wants a token."""


@dataclass(frozen=True)
class Operation:
    """One step of a push: `create`, `add`, `replace`, `delete` or `tag`, of which name, and how many bytes."""

    kind: str
    name: str
    size: int = 0


@dataclass(frozen=True)
class Plan:
    """Steps of a push in their order.

    Attributes:
        repo: `OWNER/NAME`.
        private: whether only its owner sees it.
        head: commit that the plan starts from; None if there is no repository yet.
        operations: in order.
        kept: number of files that are there already.
        tag: of the version.
        notes: warnings.
        spared: files there that no push made, and that stay.
    """

    repo: str
    private: bool
    head: str | None
    operations: tuple[Operation, ...]
    kept: int
    tag: str
    notes: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()

    @property
    def page(self) -> str:
        """Address of the repository for people."""
        return f"{constants.ENDPOINT}/datasets/{self.repo}"

    def of(self, *kinds: str) -> list[Operation]:
        """The operations of some kinds."""
        return [operation for operation in self.operations if operation.kind in kinds]

    @property
    def size(self) -> int:
        """Bytes of the files that are added or replaced."""
        return sum(operation.size for operation in self.of("add", "replace"))

    def to_json(self) -> dict[str, Any]:
        """The plan as a JSON document."""
        stated = {name: value for name, value in asdict(self).items() if name != "head"}
        return {**stated, "url": self.page, "bytes": self.size}


@dataclass(frozen=True)
class Pushed:
    """Result of a push: the plan, the commit, the number of compared files, and differences by name."""

    plan: Plan
    commit: str
    files: int
    differences: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """Whether the remote holds the dataset."""
        return not self.differences

    def to_json(self) -> dict[str, Any]:
        """The plan and its outcome as a JSON document."""
        outcome = {"ok": self.ok, "commit": self.commit, "files": self.files, "differences": dict(self.differences)}
        return {**self.plan.to_json(), **outcome}


def check_repo(repo: str) -> None:
    """Raise UsageError unless a name is of the form `OWNER/NAME`."""
    if not _REPO.fullmatch(repo) or "--" in repo or ".." in repo:
        raise UsageError(f"--repo '{repo}' must be OWNER/NAME, of letters, digits, '-', '_' and '.'")


def check_public(folder: Path, problems_of: Callable[[Path], Sequence[str]] = redistribution_problems) -> None:
    """Refuse to publish a dataset whose licences do not allow it.

    Args:
        folder: of the dataset.
        problems_of: gives a clause for each licence that forbids it.

    Raises:
        SpecsiaError: if a licence is unknown or forbids it, or the licences cannot be read.
    """
    try:
        problems = problems_of(folder)
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise SpecsiaError(f"the licences of {folder} cannot be read: {brief(str(error))}") from error
    if problems:
        raise SpecsiaError(
            f"{folder} cannot be made public: it holds {'; '.join(problems)}; state the licence of each character in "
            "the manifest (an SPDX id, or LicenseRef-NAME for one you have read and may pass on under), or push it "
            "--private"
        )


@contextmanager
def connect(repo: str, look: bool = False) -> Iterator[HfApi]:
    """The Hub of `HF_ENDPOINT` with the user's token; its errors leave as one sentence without the token.

    Log lines of `huggingface_hub`, which show signed addresses, are turned off, and its bars where nobody looks.

    Args:
        repo: for messages.
        look: nothing is to be changed, for which no token is needed.

    Raises:
        UnseenError: if the Hub cannot be reached, or `look` and it wants a token.
        UsageError: if `HF_HUB_OFFLINE` is set, or there is no usable token.
        SpecsiaError: if the Hub refuses.
    """
    if is_offline_mode():
        if look:
            raise UnseenError("HF_HUB_OFFLINE is set, so the Hub was not asked")
        raise UsageError("HF_HUB_OFFLINE is set, and a push needs the network: unset it")
    token = get_token()
    if not token and not look:
        raise UsageError("there is no token for the Hub: run `hf auth login`, or set HF_TOKEN to one that may write")
    if token and not re.fullmatch(r"[!-~]+", token):
        raise UsageError("the token for the Hub holds characters that no token has: run `hf auth login`")
    hub_logging.set_verbosity_error()
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        yield HfApi(endpoint=constants.ENDPOINT, token=token or False, library_name="specsia")
    except read_errors(OfflineModeIsEnabled, RuntimeError, ValueError) as error:
        raise _in_words(error, repo, token or "") from error


def _in_words(error: BaseException, repo: str, token: str) -> SpecsiaError:
    """One sentence on what the Hub refused or why it was not reached, and what to do."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, HfHubHTTPError):
        cause = cause.__cause__
    endpoint = constants.ENDPOINT
    if cause is None:
        text = str(error).replace(token, "***") if token else str(error)
        text = brief(re.sub(r"\?\S+|\bhf_\w{6,}", "***", " ".join(text.split())), 200) or type(error).__name__
        return UnseenError(f"{endpoint} cannot be reached or used ({text}): check the network; {_LATER}")
    status = cause.response.status_code
    if status == 401 and not token:
        return UnseenError(f"without a token {endpoint} does not tell whether {repo} is there")
    advice = _LATER if status >= 500 or status in (408, 429) else _ADVICE.get(status, "it does not take the request")
    stated = brief(" ".join((cause.server_message or "").split()), 120)
    reason = f" ({stated})" if stated and not stated.startswith("<") else ""
    return SpecsiaError(f"{endpoint} answered {status}{reason}: {advice.format(repo=repo, owner=repo.split('/')[0])}")


def plan_push(
    api: HfApi, repo: str, files: Sequence[LocalFile], version: str, *, public: bool, prune: bool, look: bool = False
) -> Plan:
    """Compare a repository with a dataset and plan the push.

    Args:
        api: of `connect`.
        repo: `OWNER/NAME`.
        files: of the dataset.
        version: its tag; if it names another content already, the digest of the dataset is added.
        public: whether everybody shall see it.
        prune: also replace and delete files that no push made.
        look: give up soon if the Hub does not answer.

    Raises:
        UsageError: if a file that no push made has the name of one of the dataset's, without `prune`.
        SpecsiaError: if the repository is public and the push is not meant to be.
    """
    info = _info(api, repo, LOOK_SECONDS if look else None)
    if info is None:
        return _first_push(repo, files, version, public)
    head = str(info.sha)
    if not info.private and not public:
        raise SpecsiaError(f"{repo} is public: give --public to push to it, or make it private in its settings")
    remote = _tree(api, repo, head)
    made = remote.keys() if prune else _made(api, repo, remote, head)
    changed = [file for file in files if not _same(file, remote.get(file.name))]
    taken = [file.name for file in changed if file.name in remote and file.name not in made]
    if taken:
        raise UsageError(
            f"{repo} holds {some(taken)}, made by no push or edited since, where files of the dataset belong: look "
            "at the repository, and give --prune to replace them and to remove all else that is not the dataset's"
        )
    surplus = [name for name in remote if name not in {file.name for file in files} | _KEPT]
    spared = tuple(name for name in surplus if name not in made)
    tags = {tag.name for tag in api.list_repo_refs(repo, repo_type=_DATASET).tags}
    tag = version
    if version in tags and _differences(_tree(api, repo, version), files, spared):
        tag = f"{version}-{next(file.sha256 for file in files if file.name == SUMS_FILE)[:8]}"
    notes = [f"{repo} is private and stays so until you change it in its settings"] if info.private and public else []
    notes += [f"made by no push and left there, as --prune is not given: {some(spared)}"] if spared else []
    steps = [Operation("replace" if file.name in remote else "add", file.name, file.size) for file in changed]
    steps += [Operation("delete", name, remote[name].size) for name in surplus if name in made]
    steps += [Operation("tag", tag)] if tag not in tags else []
    kept = len(files) - len(changed)
    return Plan(repo, bool(info.private), head, tuple(steps), kept, tag, tuple(notes), spared)


def plan_unseen(repo: str, files: Sequence[LocalFile], version: str, public: bool, why: str) -> Plan:
    """Plan a push to a repository of which nothing is known: the steps for one that is not there."""
    note = f"these are the steps if {repo} does not exist, which could not be checked: {why}"
    return _first_push(repo, files, version, public, note)


def _first_push(repo: str, files: Sequence[LocalFile], version: str, public: bool, *notes: str) -> Plan:
    steps = [Operation("create", repo), *(Operation("add", file.name, file.size) for file in files)]
    return Plan(repo, not public, None, (*steps, Operation("tag", version)), 0, version, notes)


def push(api: HfApi, plan: Plan, files: Sequence[LocalFile]) -> Pushed:
    """Carry a plan out, compare the remote files with the local ones, and tag the version if they are the same."""
    commit = plan.head
    if commit is None:
        api.create_repo(plan.repo, private=plan.private, repo_type=_DATASET, exist_ok=True)
        commit = str(api.dataset_info(plan.repo).sha)
    names = {operation.name for operation in plan.of("add", "replace")}
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationDelete(operation.name, is_folder=False) for operation in plan.of("delete")
    ]
    operations += [CommitOperationAdd(file.name, str(file.path)) for file in files if file.name in names]
    if operations:
        message = f"Push {plan.tag}"
        done = api.create_commit(
            plan.repo, operations, commit_message=message, repo_type=_DATASET, parent_commit=commit
        )
        commit = str(done.oid)
    differences = _differences(_tree(api, plan.repo, commit), files, plan.spared)
    if not differences and plan.of("tag"):
        api.create_tag(plan.repo, tag=plan.tag, revision=commit, repo_type=_DATASET, exist_ok=True)
    return Pushed(plan, commit, len(files), differences)


def _info(api: HfApi, repo: str, timeout: float | None) -> DatasetInfo | None:
    """What the Hub says of a repository; None if there is none."""
    try:
        return api.dataset_info(repo, timeout=timeout)
    except RepositoryNotFoundError as error:
        # The Hub answers so to a token that it does not know, too.
        if error.response.status_code == 401:
            raise
        return None


def _tree(api: HfApi, repo: str, revision: str) -> dict[str, RepoFile]:
    """Files of a repository by name at a revision."""
    entries = api.list_repo_tree(repo, recursive=True, revision=revision, repo_type=_DATASET)
    return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}


def _made(api: HfApi, repo: str, remote: Mapping[str, RepoFile], revision: str) -> frozenset[str]:
    """Names of the files that the last push made, by the `SHA256SUMS` there; not the card if it was edited since."""

    def read(name: str) -> bytes:
        return Path(api.hf_hub_download(repo, name, repo_type=_DATASET, revision=revision)).read_bytes()

    if SUMS_FILE not in remote:
        return frozenset()
    text = read(SUMS_FILE).decode("utf-8", errors="replace")
    made, sums = own_names(text), parse_sums(text)[0]
    edited = CARD in made and CARD in remote and hashlib.sha256(read(CARD)).hexdigest() != sums[CARD]
    return made - {CARD} if edited else made


def _same(file: LocalFile, there: RepoFile | None) -> bool:
    """Whether a remote file is a local one, by size and digest."""
    if there is None or there.size != file.size:
        return False
    return there.lfs.sha256 == file.sha256 if there.lfs else there.blob_id == file.blob


def _differences(remote: Mapping[str, RepoFile], files: Sequence[LocalFile], spared: Collection[str]) -> dict[str, str]:
    """What is wrong with the remote files, by name; those that are `spared` may be there besides."""
    found = {
        file.name: "has another checksum" if file.name in remote else "is missing"
        for file in files
        if not _same(file, remote.get(file.name))
    }
    own = {file.name for file in files} | _KEPT | set(spared)
    return found | {name: "is no part of the dataset" for name in remote if name not in own}
