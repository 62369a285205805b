"""A local server that speaks the Hub's HTTP protocol as `huggingface_hub` uses it, with faults on demand.

It knows datasets, git files, LFS with basic transfer, trees, tags and `resolve`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants

WRITER, READER = "hf_testwritertoken", "hf_testreadertoken"
"""Tokens of the user `tester`; with the second nothing may be written."""

NAMESPACES = ("tester", "OWNER", "owner")

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(eq=False)
class Refusal(Exception):
    """An answer of 4xx: status, message and the Hub's error code."""

    status: int
    message: str
    code: str = ""


@dataclass(frozen=True)
class Blob:
    """A file of a commit: its size, its SHA-256, and the id of its git object, which is empty where LFS keeps it."""

    size: int
    sha256: str
    oid: str = ""

    @property
    def key(self) -> str:
        """What tells whether a local file is the same."""
        return self.oid or self.sha256

    def entry(self, path: str) -> dict[str, Any]:
        """As the Hub lists it."""
        entry = {"type": "file", "path": path, "size": self.size, "oid": self.key[:40]}
        return entry | ({} if self.oid else {"lfs": {"oid": self.sha256, "size": self.size, "pointerSize": 130}})


@dataclass
class Repo:
    """A dataset repository: files of each commit, newest last, and its tags."""

    private: bool
    commits: dict[str, dict[str, Blob]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> str:
        return next(reversed(self.commits))

    def sha(self, revision: str) -> str:
        sha = self.head if revision == "main" else self.tags.get(revision, revision)
        if sha not in self.commits:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return sha

    def files(self, revision: str) -> dict[str, Blob]:
        return self.commits[self.sha(revision)]

    def commit(self, files: dict[str, Blob]) -> str:
        sha = hashlib.sha1(repr((len(self.commits), sorted(files.items()))).encode()).hexdigest()
        self.commits[sha] = files
        return sha


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
        self.repos[name].commit({".gitattributes": self._keep(b"*.parquet filter=lfs diff=lfs merge=lfs -text\n")})

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
                files[value["path"]] = Blob(value["size"], value["oid"])
            elif kind == "deletedFile":
                del files[value["path"]]
        return repo.commit(files)

    def _keep(self, data: bytes) -> Blob:
        blob = Blob(
            len(data), hashlib.sha256(data).hexdigest(), hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        )
        self.blob(blob.sha256).write_bytes(data)
        return blob


@dataclass(frozen=True)
class Fault:
    """Answer requests whose method and path match with a status, or after a delay in seconds."""

    route: str
    status: int = 0
    delay: float = 0


class HubServer(ThreadingHTTPServer):
    """The server and what a test may set and read.

    Attributes:
        store: repositories and blobs.
        fault: of some requests.
        received: bytes of all request bodies, whole or not.
        requests: method and path of all requests.
        hold_at: number of received bytes from which bodies are read no further; `held` is set there.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store = Store(folder)
        self.fault: Fault | None = None
        self.received = 0
        self.requests: list[str] = []
        self.lock = threading.Lock()
        self.hold_at: int | None = None
        self.held, self.released = threading.Event(), threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing about clients that were killed."""


@contextmanager
def serve(folder: Path) -> Iterator[HubServer]:
    """A server that runs in a thread of this process."""
    server = HubServer(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def logged_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A server to which this process is logged in, and which it takes for the Hub."""
    monkeypatch.setenv("HF_TOKEN", WRITER)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub-cache"))
    with serve(folder / "hub") as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""

    def _serve(self) -> None:
        line = f"{self.command} {unquote(urlsplit(self.path).path)}"
        self.server.requests.append(line)
        fault = self.server.fault if self.server.fault and re.search(self.server.fault.route, line) else Fault("")
        time.sleep(fault.delay)
        try:
            body = b"".join(self._blocks()) if self.command != "PUT" else b""
            if fault.status:
                raise Refusal(fault.status, "as the test asked")
            for pattern, handle in _ROUTES:
                if match := re.fullmatch(pattern, line):
                    if (answer := handle(self, body, *match.groups())) is not None:
                        self._json(200, answer)
                    return
            raise Refusal(404, f"no such page: {line}")
        except Refusal as refusal:
            # The body of a refused upload is not read.
            self.close_connection = self.command == "PUT"
            code = {"X-Error-Code": refusal.code} if refusal.code else {}
            self._json(refusal.status, {"error": refusal.message}, {"X-Error-Message": refusal.message, **code})

    do_GET = do_HEAD = do_POST = do_PUT = _serve

    def _blocks(self) -> Iterator[bytes]:
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            block = self.rfile.read1(min(left, 1 << 16))
            if not block:
                raise ConnectionResetError
            left -= len(block)
            with self.server.lock:
                self.server.received += len(block)
                hold = self.server.hold_at is not None and self.server.received >= self.server.hold_at
            if hold:
                self.server.held.set()
                self.server.released.wait()
            yield block

    def _json(self, status: int, content: Any, headers: Mapping[str, str] = NOTHING) -> None:
        self._answer(status, json.dumps(content).encode(), {"Content-Type": "application/json", **headers})

    def _answer(self, status: int, data: bytes, headers: Mapping[str, str] = NOTHING) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    @property
    def _token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _writes(self, name: str) -> None:
        """Refuse whoever may not write."""
        if self._token not in (WRITER, READER):
            raise Refusal(401, "Invalid username or password.")
        if self._token == READER or name.split("/")[0] not in NAMESPACES:
            raise Refusal(403, f"You don't have the rights to write to {name}")

    def _repo(self, name: str) -> Repo:
        """A repository that the caller may see."""
        if self._token not in ("", WRITER, READER):
            raise Refusal(401, "Invalid credentials in Authorization header")
        repo = self.server.store.repo(name)
        if repo.private and not self._token:
            raise Refusal(401, "Invalid username or password.")
        return repo

    # Each handler gets the body and the groups of its pattern.

    def _create(self, body: bytes) -> Any:
        asked = json.loads(body)
        name = f"{asked['organization'] or 'tester'}/{asked['name']}"
        self._writes(name)
        self.server.store.create(name, asked.get("visibility") == "private" or asked.get("private", False))
        return {"url": f"{self.server.url}/datasets/{name}"}

    def _info(self, body: bytes, name: str, revision: str | None = None) -> Any:
        repo = self._repo(name)
        sha = repo.sha(revision or "main")
        files = [{"rfilename": path} for path in repo.files(sha)]
        return {"id": name, "sha": sha, "private": repo.private, "siblings": files, "tags": [], "downloads": 0}

    def _preupload(self, body: bytes, name: str, revision: str) -> Any:
        self._writes(name)
        remote = self._repo(name).files(revision)
        answer = []
        for path in (asked["path"] for asked in json.loads(body)["files"]):
            mode, blob = "lfs" if path.endswith(".parquet") else "regular", remote.get(path)
            answer.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": blob and blob.key})
        return {"files": answer}

    def _batch(self, body: bytes, name: str) -> Any:
        self._writes(name)
        answer = []
        for asked in json.loads(body)["objects"]:
            entry = {"oid": asked["oid"], "size": asked["size"]}
            if not self.server.store.blob(asked["oid"]).exists():
                href = f"{self.server.url}/storage/{asked['oid']}?X-Amz-Signature=secret"
                entry["actions"] = {"upload": {"href": href}}
            answer.append(entry)
        return {"transfer": "basic", "objects": answer}

    def _upload(self, body: bytes, oid: str) -> None:
        spooled = self.server.store.folder / f"body-{threading.get_ident()}-{time.monotonic_ns()}"
        digest = hashlib.sha256()
        with spooled.open("wb") as out:
            for block in self._blocks():
                digest.update(block)
                out.write(block)
        if digest.hexdigest() != oid:
            raise Refusal(422, "the content is not what its SHA-256 says")
        spooled.replace(self.server.store.blob(oid))
        self._answer(200, b"")

    def _commit(self, body: bytes, name: str, revision: str) -> Any:
        self._writes(name)
        sha = self.server.store.commit(name, [json.loads(line) for line in body.splitlines()])
        return {"success": True, "commitOid": sha, "commitUrl": f"{self.server.url}/datasets/{name}/commit/{sha}"}

    def _tree(self, body: bytes, name: str, revision: str, folder: str | None = None) -> Any:
        files = self._repo(name).files(revision)
        folders = {str(parent) for path in files for parent in PurePosixPath(path).parents} - {"."}
        entries: list[dict[str, Any]] = [
            {"type": "directory", "path": path, "size": 0, "oid": ""} for path in sorted(folders)
        ]
        entries += [blob.entry(path) for path, blob in sorted(files.items())]
        return [entry for entry in entries if entry["path"].startswith(f"{folder}/" if folder else "")]

    def _refs(self, body: bytes, name: str) -> Any:
        repo = self._repo(name)
        tags = [{"name": t, "ref": f"refs/tags/{t}", "targetCommit": sha} for t, sha in repo.tags.items()]
        return {"branches": [], "converts": [], "tags": tags}

    def _tag(self, body: bytes, name: str, revision: str) -> Any:
        self._writes(name)
        repo, tag = self._repo(name), json.loads(body)["tag"]
        if tag in repo.tags:
            raise Refusal(409, "Tag reference exists already")
        repo.tags[tag] = repo.sha(revision)
        return {}

    def _resolve(self, body: bytes, name: str, revision: str, path: str) -> None:
        repo = self._repo(name)
        blob = repo.files(revision).get(path)
        if blob is None:
            raise Refusal(404, "Entry not found", "EntryNotFound")
        etag = f'"{blob.key}"'
        headers = {"X-Repo-Commit": repo.sha(revision), "ETag": etag, "Accept-Ranges": "bytes"}
        if not blob.oid:
            headers |= {"X-Linked-Size": str(blob.size), "X-Linked-Etag": etag}
        data, status = self.server.store.blob(blob.sha256).read_bytes(), 200
        if self.command != "HEAD" and (asked := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))):
            first, last = int(asked[1]), min(int(asked[2]), blob.size - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{blob.size}"
            data, status = data[first : last + 1], 206
        self._answer(status, data, headers)


_NAME, _REST = r"([^/]+/[^/]+?)", r"(.+)"
_API = rf"/api/datasets/{_NAME}"
_ROUTES: tuple[tuple[str, Callable[..., Any]], ...] = (
    (r"POST /api/repos/create", _Handler._create),
    (r"POST /api/validate-yaml", lambda handler, body: {"errors": [], "warnings": []}),
    (rf"GET {_API}", _Handler._info),
    (rf"GET {_API}/revision/([^/]+)", _Handler._info),
    (rf"POST {_API}/preupload/([^/]+)", _Handler._preupload),
    (rf"POST {_API}/commit/([^/]+)", _Handler._commit),
    (rf"GET {_API}/tree/([^/]+)(?:/{_REST})?", _Handler._tree),
    (rf"GET {_API}/refs", _Handler._refs),
    (rf"POST {_API}/tag/([^/]+)", _Handler._tag),
    (rf"POST /datasets/{_NAME}\.git/info/lfs/objects/batch", _Handler._batch),
    (r"PUT /storage/([0-9a-f]{64})", _Handler._upload),
    (rf"(?:GET|HEAD) /datasets/{_NAME}/resolve/([^/]+)/{_REST}", _Handler._resolve),
)
