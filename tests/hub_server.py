"""A local server that speaks the Hub's HTTP protocol as `huggingface_hub` uses it, with faults on demand.

It knows datasets, git files, LFS with basic transfer, trees in pages, tags and `resolve`.
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
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from huggingface_hub import constants

WRITER, READER = "hf_testwritertoken", "hf_testreadertoken"
"""Tokens of the user `tester`; with the second nothing may be written."""

NAMESPACES = ("tester", "team", "OWNER", "owner")

_PAGE = 3
"""Entries of a page of a tree."""


GIT_ATTRIBUTES = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"
"""What the Hub puts into a new dataset."""


@dataclass(eq=False)
class Refusal(Exception):
    """An answer of 4xx: status, message and the Hub's error code."""

    status: int
    message: str
    code: str = ""


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


@dataclass
class Fault:
    """Answer the next `times` requests whose method and path match with a status, or after a delay in seconds."""

    route: str
    status: int = 0
    times: int = 1
    delay: float = 0


class HubServer(ThreadingHTTPServer):
    """The server and what a test may set and read.

    Attributes:
        store: repositories and blobs.
        faults: tried in their order.
        received: bytes of all request bodies, whole or not.
        requests: method and path of all requests.
        hold_at: number of received bytes from which bodies are read no further; `held` is set there.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store = Store(folder)
        self.faults: list[Fault] = []
        self.received = 0
        self.requests: list[str] = []
        self.lock = threading.Lock()
        self.hold_at: int | None = None
        self.held, self.released = threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing about clients that were killed."""

    def take_fault(self, line: str) -> Fault | None:
        with self.lock:
            fault = next((fault for fault in self.faults if fault.times > 0 and re.search(fault.route, line)), None)
            if fault is not None:
                fault.times -= 1
        return fault


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
        parts = urlsplit(self.path)
        self.route, self.query = unquote(parts.path), {k: v[-1] for k, v in parse_qs(parts.query).items()}
        line = f"{self.command} {self.route}"
        self.server.requests.append(line)
        fault = self.server.take_fault(line)
        time.sleep(fault.delay if fault else 0)
        try:
            body = b"".join(self._blocks()) if self.command != "PUT" else b""
            if fault is not None and fault.status:
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

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

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

    def _json(self, status: int, content: Any, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self._answer(status, json.dumps(content).encode(), {"Content-Type": "application/json", **headers})

    def _answer(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
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

    def _whoami(self, body: bytes) -> Any:
        self._writes("tester/any")
        return {"type": "user", "name": "tester", "orgs": [{"name": "team"}]}

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
        for asked in json.loads(body)["files"]:
            blob = remote.get(asked["path"])
            mode = "lfs" if asked["path"].endswith(".parquet") or asked["size"] > 10_000_000 else "regular"
            oid = None if blob is None else blob.sha256 if blob.lfs else blob.oid
            answer.append({"path": asked["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
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
        if self.headers.get("Authorization"):
            raise Refusal(400, "Only one auth mechanism allowed; the token was sent to the storage")
        spooled = self.server.store.folder / f"body-{threading.get_ident()}-{time.monotonic_ns()}"
        digest = hashlib.sha256()
        with spooled.open("wb") as out:
            for block in self._blocks():
                digest.update(block)
                out.write(block)
        if digest.hexdigest() != oid:
            raise Refusal(422, "the content is not what its SHA-256 says")
        spooled.replace(self.server.store.blob(oid))
        self._answer(200, b"", {})

    def _commit(self, body: bytes, name: str, revision: str) -> Any:
        self._writes(name)
        sha = self.server.store.commit(name, [json.loads(line) for line in body.splitlines()])
        return {"success": True, "commitOid": sha, "commitUrl": f"{self.server.url}/datasets/{name}/commit/{sha}"}

    def _tree(self, body: bytes, name: str, revision: str, folder: str | None = None) -> None:
        repo = self._repo(name)
        listed = self._entries(repo.files(revision), folder or "", self.query.get("recursive") == "true")
        if folder and not listed:
            raise Refusal(404, f"{folder} does not exist on {revision}", "EntryNotFound")
        start = int(self.query.get("cursor", 0))
        headers = {}
        if start + _PAGE < len(listed):
            query = "&".join(f"{k}={v}" for k, v in self.query.items() if k != "cursor")
            link = f"{self.server.url}{quote(self.route)}?{query}&cursor={start + _PAGE}"
            headers["Link"] = f'<{link}>; rel="next"'
        self._json(200, listed[start : start + _PAGE], headers)

    def _entries(self, files: Mapping[str, Blob], folder: str, recursive: bool) -> list[dict[str, Any]]:
        top = PurePosixPath(folder)
        entries: dict[str, dict[str, Any]] = {}
        for path, blob in sorted(files.items()):
            for inner in (*reversed(PurePosixPath(path).parents), PurePosixPath(path)):
                if top in inner.parents and (recursive or inner.parent == top):
                    name = str(inner)
                    directory = {"type": "directory", "path": name, "size": 0, "oid": git_hash(name.encode())}
                    entries[name] = blob.entry(path) if name == path else directory
        return list(entries.values())

    def _paths(self, body: bytes, name: str, revision: str) -> Any:
        entries = {entry["path"]: entry for entry in self._entries(self._repo(name).files(revision), "", True)}
        return [entries[path] for path in parse_qs(body.decode()).get("paths", []) if path in entries]

    def _refs(self, body: bytes, name: str) -> Any:
        repo = self._repo(name)
        tags = [{"name": t, "ref": f"refs/tags/{t}", "targetCommit": sha} for t, sha in repo.tags.items()]
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.head}
        return {"branches": [main], "converts": [], "tags": tags}

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
        etag = f'"{blob.sha256 if blob.lfs else blob.oid}"'
        headers = {"X-Repo-Commit": repo.sha(revision), "ETag": etag, "Accept-Ranges": "bytes"}
        if blob.lfs:
            headers |= {"X-Linked-Size": str(blob.size), "X-Linked-Etag": etag}
        data, status = self.server.store.blob(blob.sha256).read_bytes(), 200
        if self.command != "HEAD" and (asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))):
            first, last = int(asked[1]), min(int(asked[2] or blob.size - 1), blob.size - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{blob.size}"
            data, status = data[first : last + 1], 206
        self._answer(status, data, headers)


_NAME, _REST = r"([^/]+/[^/]+?)", r"(.+)"
_API = rf"/api/datasets/{_NAME}"
_ROUTES: tuple[tuple[str, Callable[..., Any]], ...] = (
    (r"GET /api/whoami-v2", _Handler._whoami),
    (r"POST /api/repos/create", _Handler._create),
    (r"POST /api/validate-yaml", lambda handler, body: {"errors": [], "warnings": []}),
    (rf"GET {_API}", _Handler._info),
    (rf"GET {_API}/revision/([^/]+)", _Handler._info),
    (rf"POST {_API}/preupload/([^/]+)", _Handler._preupload),
    (rf"POST {_API}/commit/([^/]+)", _Handler._commit),
    (rf"GET {_API}/tree/([^/]+)(?:/{_REST})?", _Handler._tree),
    (rf"POST {_API}/paths-info/([^/]+)", _Handler._paths),
    (rf"GET {_API}/refs", _Handler._refs),
    (rf"POST {_API}/tag/([^/]+)", _Handler._tag),
    (rf"POST /datasets/{_NAME}\.git/info/lfs/objects/batch", _Handler._batch),
    (r"PUT /storage/([0-9a-f]{64})", _Handler._upload),
    (rf"(?:GET|HEAD) /datasets/{_NAME}/resolve/([^/]+)/{_REST}", _Handler._resolve),
)
