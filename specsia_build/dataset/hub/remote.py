"""What a repository on a Hub holds, and whether that is the dataset."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from huggingface_hub import DatasetInfo
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile

from specsia_build.dataset.hub.client import DATASET, Hub, patiently
from specsia_build.dataset.hub.local import LocalFile
from specsia_build.errors import plural

KEPT = frozenset({".gitattributes"})
"""Files of the repository itself, which no dataset holds and no push deletes."""


def state_of(hub: Hub) -> DatasetInfo | None:
    """What the Hub says of the repository, None where there is none."""
    try:
        return patiently(lambda: hub.api.dataset_info(hub.repo))
    except RepositoryNotFoundError as error:
        # A Hub answers so to a token that it does not know, too.
        if error.response.status_code == 401:
            raise
        return None


def head_of(hub: Hub) -> str:
    """The commit that the repository is at."""
    return str(patiently(lambda: hub.api.dataset_info(hub.repo)).sha)


def listing(hub: Hub, revision: str) -> dict[str, RepoFile]:
    """Files of the repository by name, as they are at a revision."""
    entries = hub.api.list_repo_tree(hub.repo, recursive=True, revision=revision, repo_type=DATASET)
    return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}


def tags_of(hub: Hub) -> set[str]:
    """Names of the repository's tags."""
    return {tag.name for tag in patiently(lambda: hub.api.list_repo_refs(hub.repo, repo_type=DATASET)).tags}


def same(file: LocalFile, there: RepoFile | None) -> bool:
    """Whether a file of the repository is one of the dataset, by its size and digest."""
    if there is None or there.size != file.size:
        return False
    return there.lfs.sha256 == file.sha256 if there.lfs else there.blob_id == file.blob


def compare(hub: Hub, files: Sequence[LocalFile], revision: str, spared: Collection[str]) -> dict[str, str]:
    """What is wrong with the remote files, by name: by size and SHA-256, or SHA-1 of the git object outside of LFS.

    Those that are `spared` may be there besides.
    """
    remote = listing(hub, revision)
    found = {}
    for file in files:
        there = remote.get(file.name)
        if there is None:
            found[file.name] = "is missing"
        elif there.size != file.size:
            found[file.name] = f"has {plural(there.size, 'byte')} instead of {file.size}"
        elif not same(file, there):
            found[file.name] = "has another checksum"
    local = {file.name for file in files} | KEPT | set(spared)
    return found | {name: "is no part of the dataset" for name in remote if name not in local}
