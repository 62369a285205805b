"""Repositories and blobs of the test Hub: what its HTTP layer (`hub_server`) reads and changes."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GIT_ATTRIBUTES = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"
"""What the Hub puts into a new dataset; `.gitattributes` decides which files go through LFS."""


class Refusal(Exception):
    """An answer of 4xx: status, message and the Hub's error code."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


@dataclass(frozen=True)
class Blob:
    """A file of a commit: bytes, SHA-256 of its content, id of its git object, and whether LFS keeps it."""

    size: int
    sha256: str
    oid: str
    lfs: bool

    def entry(self, path: str) -> dict[str, Any]:
        """As the Hub lists it."""
        entry: dict[str, Any] = {"type": "file", "path": path, "size": self.size, "oid": self.oid}
        return entry | ({"lfs": {"oid": self.sha256, "size": self.size, "pointerSize": 130}} if self.lfs else {})


@dataclass
class Repo:
    """A dataset repository: files of each commit, newest last, and its tags."""

    private: bool
    commits: dict[str, dict[str, Blob]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> str:
        return next(reversed(self.commits))

    def files(self, revision: str) -> dict[str, Blob]:
        return self.commits[self.sha(revision)]

    def sha(self, revision: str) -> str:
        sha = self.head if revision == "main" else self.tags.get(revision, revision)
        if sha not in self.commits:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return sha

    def commit(self, files: dict[str, Blob]) -> str:
        sha = hashlib.sha1(repr((len(self.commits), sorted(files.items()))).encode()).hexdigest()
        self.commits[sha] = files
        return sha


def git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Store:
    """Repositories in memory, and their blobs in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.repos = folder, dict[str, Repo]()
        folder.mkdir(parents=True, exist_ok=True)

    def blob(self, sha256: str) -> Path:
        return self.folder / sha256

    def repo(self, name: str) -> Repo:
        if name not in self.repos:
            raise Refusal(404, "Repository not found", "RepoNotFound")
        return self.repos[name]

    def create(self, name: str, private: bool) -> None:
        if name in self.repos:
            raise Refusal(409, "You already created this dataset repo")
        self.repos[name] = Repo(private)
        self.repos[name].commit({".gitattributes": self._keep(GIT_ATTRIBUTES)})

    def commit(self, name: str, lines: list[dict[str, Any]]) -> str:
        """Apply the lines of a commit to `main`; returns its id."""
        repo = self.repo(name)
        files = dict(repo.files("main"))
        for line in lines:
            kind, value = line["key"], line["value"]
            if kind == "header" and value.get("parentCommit") not in (None, repo.head):
                raise Refusal(412, "A commit has happened since. Please refresh and try again.")
            if kind == "file":
                files[value["path"]] = self._keep(base64.b64decode(value["content"]))
            elif kind == "lfsFile":
                if not self.blob(value["oid"]).exists():
                    raise Refusal(400, f"LFS pointer pointed to a file that does not exist: {value['path']}")
                files[value["path"]] = Blob(value["size"], value["oid"], git_hash(value["oid"].encode()), lfs=True)
            elif kind == "deletedFile" and files.pop(value["path"], None) is None:
                raise Refusal(404, "A file with this name doesn't exist", "EntryNotFound")
        return repo.commit(files)

    def _keep(self, data: bytes) -> Blob:
        sha256 = hashlib.sha256(data).hexdigest()
        self.blob(sha256).write_bytes(data)
        return Blob(len(data), sha256, git_hash(data), lfs=False)
