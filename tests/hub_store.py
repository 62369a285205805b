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
    """An answer of 4xx: status, words and the Hub's error code."""

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
        found: dict[str, Any] = {"type": "file", "path": path, "size": self.size, "oid": self.oid}
        if self.lfs:
            found["lfs"] = {"oid": self.sha256, "size": self.size, "pointerSize": len(pointer(self.sha256, self.size))}
        return found


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
        found = self.head if revision == "main" else self.tags.get(revision, revision)
        if found not in self.commits:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return found


def git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def pointer(sha256: str, size: int) -> bytes:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


class Store:
    """Repositories in memory; their blobs, and parts of uploads under way, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repos: dict[str, Repo] = {}
        self.uploads: dict[str, tuple[str, int]] = {}
        self.begun = 0
        for name in ("blobs", "uploads"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def blob(self, sha256: str) -> Path:
        return self.folder / "blobs" / sha256

    def part(self, upload: str, number: int) -> Path:
        return self.folder / "uploads" / f"{upload}-{number}"

    def repo(self, name: str) -> Repo:
        if name not in self.repos:
            raise Refusal(404, "Repository not found", "RepoNotFound")
        return self.repos[name]

    def create(self, name: str, private: bool) -> None:
        if name in self.repos:
            raise Refusal(409, "You already created this dataset repo")
        self.repos[name] = Repo(private)
        self._commit(self.repos[name], {".gitattributes": self._keep(GIT_ATTRIBUTES)})

    def begin(self, oid: str, size: int) -> str:
        """A new multipart upload; those begun before stay valid, as on S3."""
        self.begun += 1
        upload = f"u{self.begun}"
        self.uploads[upload] = (oid, size)
        return upload

    def complete(self, upload: str, parts: list[dict[str, Any]]) -> None:
        """Join the parts into a blob."""
        if upload not in self.uploads:
            raise Refusal(404, "NoSuchUpload")
        oid, size = self.uploads[upload]
        if oid and not self.blob(oid).exists():
            joined = self.folder / "uploads" / upload
            with joined.open("wb") as out:
                for part in parts:
                    path = self.part(upload, part["partNumber"])
                    if not path.exists() or f'"{hashlib.md5(path.read_bytes()).hexdigest()}"' != part["etag"]:
                        raise Refusal(400, f"InvalidPart: {part['partNumber']}")
                    out.write(path.read_bytes())
            self.accept(joined, oid, size)
        for part in parts:
            self.part(upload, part["partNumber"]).unlink(missing_ok=True)
        del self.uploads[upload]

    def accept(self, path: Path, oid: str, size: int) -> None:
        """Take a file as a blob if its content is what was announced."""
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if (found, path.stat().st_size) != (oid, size):
            raise Refusal(422, "the content is not what its SHA-256 says")
        path.replace(self.blob(oid))

    def commit(self, name: str, lines: list[dict[str, Any]], elsewhere: bool = False) -> str:
        """Apply the lines of a commit to `main`; returns its id. Large files may lie `elsewhere`."""
        repo = self.repo(name)
        files = dict(repo.files("main"))
        for line in lines:
            kind, value = line["key"], line["value"]
            if kind == "header" and value.get("parentCommit") not in (None, repo.head):
                raise Refusal(412, "A commit has happened since. Please refresh and try again.")
            if kind == "file":
                files[value["path"]] = self._keep(base64.b64decode(value["content"]))
            elif kind == "lfsFile":
                if not elsewhere and not self.blob(value["oid"]).exists():
                    raise Refusal(400, f"LFS pointer pointed to a file that does not exist: {value['path']}")
                size = value["size"]
                oid = git_hash(pointer(value["oid"], size))
                files[value["path"]] = Blob(size, value["oid"], oid, lfs=True)
            elif kind == "deletedFile" and files.pop(value["path"], None) is None:
                raise Refusal(404, "A file with this name doesn't exist", "EntryNotFound")
        return self._commit(repo, files)

    def _keep(self, data: bytes) -> Blob:
        sha256 = hashlib.sha256(data).hexdigest()
        self.blob(sha256).write_bytes(data)
        return Blob(len(data), sha256, git_hash(data), lfs=False)

    def _commit(self, repo: Repo, files: dict[str, Blob]) -> str:
        text = repr((len(repo.commits), sorted(files.items())))
        sha = hashlib.sha1(text.encode()).hexdigest()
        repo.commits[sha] = files
        return sha
