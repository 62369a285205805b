"""Push a packed dataset to the Hub in one commit, compare all of it by checksum, and tag it."""

import hashlib
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    constants,
    get_token,
    is_offline_mode,
)
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import logging as hub_logging
from huggingface_hub.utils.tqdm import disable_progress_bars

from specsia_build import __version__
from specsia_build.characters.formats import FORMATS
from specsia_build.dataset import schema
from specsia_build.dataset.checksums import hash_files, own_names, parse_sums
from specsia_build.dataset.places import one_line, read_errors, unfit
from specsia_build.dataset.schema import BUILD_FILE, CARD, DATA, RECORD_FILE, SUMS_FILE
from specsia_build.errors import SpecsiaError, UsageError, brief, some, spelled
from specsia_build.files.records import read_json

_SUFFIXES = frozenset({".parquet", ".json", ".jsonl", ".md", ".txt", *FORMATS})
_NAMES = frozenset({SUMS_FILE, schema.TEASER, "LICENSE", "NOTICE"})
"""Suffixes and names that files of a dataset may have; 3D assets are refused on their own."""

MOST_ENTRIES, MOST_FILES = 10_000, 100_000
"""The Hub's limit of entries in a folder, and its recommended limit of files in a repository."""

# Type of the repository, and the file that the Hub puts into it
_DATASET, _HUB_FILE = "dataset", ".gitattributes"


@dataclass(frozen=True)
class Operation:
    """A step of a push: `create`, `add`, `replace`, `delete` or `tag`, its subject, and the bytes to send."""

    kind: str
    name: str
    size: int = 0


@dataclass(frozen=True)
class LocalDataset:
    """A dataset unaltered since it was packed: its folder, files' SHA-256 by name, and its version's tag."""

    folder: Path
    digests: Mapping[str, str]
    tag: str

    def step(self, kind: str, name: str) -> Operation:
        """The operation that sends a file."""
        return Operation(kind, name, (self.folder / name).stat().st_size)

    def differs(self, name: str, remote: RepoFile | None) -> bool:
        """Whether a file has another size or checksum than a remote file, or there is no remote file."""
        if remote is None or remote.size != (self.folder / name).stat().st_size:
            return True
        if remote.lfs:
            return remote.lfs.sha256 != self.digests[name]
        data = (self.folder / name).read_bytes()
        blob = b"blob %d\0" % len(data) + data
        return remote.blob_id != hashlib.sha1(blob, usedforsecurity=False).hexdigest()

    def differences(self, remote: Mapping[str, RepoFile], spared: Collection[str]) -> dict[str, str]:
        """Problems of remote files by name, which may also contain the `spared` ones."""
        differing = [name for name in self.digests if self.differs(name, remote.get(name))]
        wrong = {name: "has another checksum" if name in remote else "is missing" for name in differing}
        expected = {*self.digests, *spared, _HUB_FILE}
        return wrong | {name: "is not part of the dataset" for name in remote if name not in expected}


@dataclass(frozen=True)
class Plan:
    """A push, planned or done."""

    repo: str
    private: bool
    operations: tuple[Operation, ...]
    kept: int  # Number of files that are up to date on the Hub
    tag: str
    notes: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()  # Remote files that no push made, which stay
    # Commit to start from, later the new one; None if the repository does not exist yet
    commit: str | None = None
    # Problems of remote files after the push, by name
    differences: Mapping[str, str] = field(default_factory=dict)

    @property
    def page(self) -> str:
        """Address of the repository's page."""
        return f"{constants.ENDPOINT}/datasets/{self.repo}"

    def of(self, *kinds: str) -> list[Operation]:
        """The operations of some kinds."""
        return [operation for operation in self.operations if operation.kind in kinds]

    @property
    def size(self) -> int:
        """Bytes of the files to add or replace."""
        return sum(operation.size for operation in self.of("add", "replace"))

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "url": self.page, "bytes": self.size, "ok": not self.differences}


def read_local(folder: Path, advance: Callable[[int], None] = lambda _: None) -> LocalDataset:
    """Check a complete dataset, or a layout's folder, as `check_files` does.

    The folder of a dataset must hold nothing else; of another layout only the listed files are taken, and not
    more than the Hub takes.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder: give a packed dataset, such as DIR/dataset")
    sums = listed_sums(folder)
    names = [*sums, SUMS_FILE] if RECORD_FILE in sums else schema.own_files(folder)
    problems = _strangers(sums, names) if RECORD_FILE not in sums else []
    most = max(Counter(PurePosixPath(name).parent for name in names).values())
    if len(names) > MOST_FILES or most > MOST_ENTRIES:
        raise SpecsiaError(
            f"{folder} holds {len(names):,} files, up to {most:,} in one folder, where the Hub takes "
            f"{MOST_FILES:,} and {MOST_ENTRIES:,}: pack it with `tar` and send that with `hf upload`, or "
            "make fewer frames"
        )
    return check_files(folder, sorted({*names, *sums}), sums, problems, advance)


def _strangers(sums: Mapping[str, str], names: Sequence[str]) -> list[str]:
    """Problems of the files of a dataset's folder, by name."""
    strange = [name for name in names if Path(name).suffix.lower() not in _SUFFIXES and name not in _NAMES]
    problems = [f"{name} is not part of a dataset" for name in strange]
    unlisted = {*names} - {*sums, *strange, SUMS_FILE}
    problems += [f"{name} is not listed in {SUMS_FILE}" for name in names if name in unlisted]
    if CARD not in sums or not any(name.startswith(f"{DATA}/") for name in sums):
        problems.append(f"{SUMS_FILE} lists no {CARD} or no {DATA}/")
    return problems


def listed_sums(folder: Path) -> dict[str, str]:
    """SHA-256 by name of a folder's `SHA256SUMS`."""
    try:
        sums, unusable = parse_sums((folder / SUMS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        inner = [path.parent for path in folder.glob(f"*/{SUMS_FILE}")]
        inner.sort(key=lambda path: path.name != "dataset")
        pack = "run `specsia build --stage pack`, which writes it last"
        hint = f"did you mean {inner[0]}?" if inner else pack
        problem = f"{spelled(folder)} is not a complete dataset, as it has no {SUMS_FILE}: {hint}"
        raise UsageError(problem) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecsiaError(f"{folder / SUMS_FILE} cannot be read: {error}") from error
    if unusable:
        raise SpecsiaError(f"{folder / SUMS_FILE} has a malformed line: {brief(unusable[0], 80)!r}")
    return sums


def check_files(
    folder: Path,
    names: Sequence[str],
    sums: Mapping[str, str],
    problems: Sequence[str],
    advance: Callable[[int], None],
) -> LocalDataset:
    """Read the files of a dataset or layout to be published, and compare them with their `sums`.

    Raises SpecsiaError if there are `problems` already, or a file is missing, changed or must not be
    published. `advance` is called with the number of bytes read.
    """
    absent = [f"{name} is missing" for name in names if not (folder / name).is_file()]
    wrong = [*(problem for name in names if (problem := unfit(folder, name))), *problems, *absent]
    digests = {} if wrong else hash_files(folder, names, advance)
    changed = [name for name, digest in digests.items() if sums.get(name, digest) != digest]
    wrong += [f"{name} has changed since it was packed" for name in changed]
    if wrong:
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise SpecsiaError(f"{folder} is not what was packed: {'; '.join(wrong[:3])}{more}: pack it again")
    path = folder / (BUILD_FILE if BUILD_FILE in names else RECORD_FILE)
    record = read_json(path) if path.name in names else {}
    version = record.get("specsia", __version__) if isinstance(record, dict) else None
    if not isinstance(version, str) or not re.fullmatch(r"\d[\w.+-]{0,80}", version, re.ASCII):
        raise SpecsiaError(f"{path} does not state the version of specsia that wrote it")
    return LocalDataset(folder, digests, f"v{version}")


def check_repo(repo: str) -> None:
    """Raise UsageError unless a name has the form `OWNER/NAME`."""
    part = r"[A-Za-z0-9][\w.-]*"
    if not re.fullmatch(f"{part}/{part}", repo, re.ASCII) or "--" in repo or ".." in repo:
        raise UsageError(f"--repo '{repo}' must be OWNER/NAME, of letters, digits, '-', '_' and '.'")


@contextmanager
def connect(repo: str, dry_run: bool = False) -> Iterator[HfApi]:
    """Connect to the Hub of `HF_ENDPOINT` with the user's token, never in errors; a dry run needs none."""
    if is_offline_mode():
        raise UsageError("HF_HUB_OFFLINE is set, and a push needs the network: unset it")
    token = get_token() or ""
    if (not token and not dry_run) or not re.fullmatch(r"[!-~]*", token):
        problem = "there is no usable token: run `hf auth login`, or set HF_TOKEN to one that may write"
        raise UsageError(problem)
    # Log lines of huggingface_hub show signed addresses.
    hub_logging.set_verbosity_error()
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        yield HfApi(endpoint=constants.ENDPOINT, token=token or False, library_name="specsia")
    except read_errors(OfflineModeIsEnabled, RuntimeError, ValueError) as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, HfHubHTTPError):
            cause = cause.__cause__
        if cause is None:
            text = re.sub(r"\?\S+|\bhf_\w{6,}", "***", one_line(error).replace(token or "\0", "***"))
            answer, advice = f"cannot be reached or used ({brief(text, 200)})", "check the network"
        else:
            text, status = " ".join((cause.server_message or "").split()), cause.response.status_code
            answer = f"answered {status} ({brief(text, 120)})"
            advice = _FAULT if status >= 500 else _ADVICE.get(status, _OTHERWISE).format(repo=repo)
        problem = f"{constants.ENDPOINT} {answer}: {advice}; the same command continues from here"
        raise SpecsiaError(problem) from error


_FAULT = "the Hub has a fault of its own (see https://status.huggingface.co): wait a few minutes"
_WRITER = "the token (`hf auth login` or HF_TOKEN)"
_ADVICE = {
    401: f"{_WRITER} is unknown or has expired: make one that may write to {{repo}}",
    403: f"{_WRITER} may not write to {{repo}}: give it that permission, or push to a name of your own",
    404: f"there is no {{repo}} that {_WRITER} can see: check the name",
    409: "somebody else writes to {repo} now: wait until they have finished",
    413: "a file or commit is too large for the Hub's limits: build with fewer or smaller views",
    429: "too many requests were made: wait a few minutes",
}
"""What to do about an HTTP status of the Hub below 500."""

_OTHERWISE = f"check the name {{repo}}, and that {_WRITER} may write to it"


def plan_push(
    api: HfApi, repo: str, local: LocalDataset, public: bool, prune: bool, dry_run: bool = False
) -> Plan:
    """Compare a repository with a dataset and plan the push; a tag with other content gets a digest added.

    With `prune`, files that no push made are replaced and deleted, too.
    """
    try:
        info = api.dataset_info(repo)
    except HfHubHTTPError as error:
        # Also the Hub's answer where there is no such repository, and no token or an unknown one.
        hidden = error.response.status_code == 401
        if not (dry_run if hidden else isinstance(error, RepositoryNotFoundError)):
            raise
        first = [Operation("create", repo), *(local.step("add", name) for name in local.digests)]
        note = f"without a valid token these are the steps if {repo} does not exist"
        steps = [*first, Operation("tag", local.tag)]
        return Plan(repo, not public, tuple(steps), 0, local.tag, (note,) if hidden else ())
    if not info.private and not public:
        problem = f"{repo} is public: give --public to push to it, or make it private in its settings"
        raise SpecsiaError(problem)
    head = str(info.sha)
    remote = _tree(api, repo, head)
    ours = remote.keys() if prune else _pushed_names(api, repo, remote, head)
    changed = [name for name in local.digests if local.differs(name, remote.get(name))]
    if conflicts := [name for name in changed if name in remote and name not in ours]:
        raise UsageError(
            f"{repo} holds {some(conflicts)}, made by no push or edited since, where files of the dataset "
            "belong: look at the repository, and give --prune to replace them and to remove all else that "
            "is not the dataset's"
        )
    surplus = [name for name in remote if name not in local.digests and name != _HUB_FILE]
    spared = tuple(name for name in surplus if name not in ours)
    tags, tag = {tag.name for tag in api.list_repo_refs(repo, repo_type=_DATASET).tags}, local.tag
    if tag in tags and local.differences(_tree(api, repo, tag), spared):
        tag = f"{tag}-{local.digests[SUMS_FILE][:8]}"
    notes = [f"{repo} is private and stays so until you change it in its settings"]
    notes = notes if info.private and public else []
    notes += [f"made by no push and left there, as --prune is not given: {some(spared)}"] if spared else []
    steps = [local.step("replace" if name in remote else "add", name) for name in changed]
    steps += [Operation("delete", name, remote[name].size) for name in surplus if name in ours]
    steps += [Operation("tag", tag)] if tag not in tags else []
    kept = len(local.digests) - len(changed)
    return Plan(repo, bool(info.private), tuple(steps), kept, tag, tuple(notes), spared, head)


def push(api: HfApi, plan: Plan, local: LocalDataset) -> Plan:
    """Carry out a plan, compare remote files with local ones, and tag the version if they are the same."""
    repo, commit = plan.repo, plan.commit
    if commit is None:
        api.create_repo(repo, private=plan.private, repo_type=_DATASET, exist_ok=True)
        commit = str(api.dataset_info(repo).sha)
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationDelete(operation.name, is_folder=False) for operation in plan.of("delete")
    ]
    operations += [CommitOperationAdd(o.name, str(local.folder / o.name)) for o in plan.of("add", "replace")]
    if operations:
        message = f"Push {plan.tag}"
        info = api.create_commit(
            repo, operations, commit_message=message, repo_type=_DATASET, parent_commit=commit
        )
        commit = str(info.oid)
    differences = local.differences(_tree(api, repo, commit), plan.spared)
    if not differences and plan.of("tag"):
        api.create_tag(repo, tag=plan.tag, revision=commit, repo_type=_DATASET, exist_ok=True)
    return replace(plan, commit=commit, differences=differences)


def _tree(api: HfApi, repo: str, revision: str) -> dict[str, RepoFile]:
    entries = api.list_repo_tree(repo, recursive=True, revision=revision, repo_type=_DATASET)
    return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}


def _pushed_names(api: HfApi, repo: str, remote: Collection[str], revision: str) -> frozenset[str]:
    """Names of files in the remote `SHA256SUMS` of the last push, without a card that was edited since."""

    def read(name: str) -> bytes:
        return Path(api.hf_hub_download(repo, name, repo_type=_DATASET, revision=revision)).read_bytes()

    if SUMS_FILE not in remote:
        return frozenset()
    text = read(SUMS_FILE).decode("utf-8", errors="replace")
    names, sums = own_names(text), parse_sums(text)[0]
    edited = CARD in names and CARD in remote and hashlib.sha256(read(CARD)).hexdigest() != sums[CARD]
    return names - {CARD} if edited else names
