"""A local server that speaks the Hub's HTTP protocol as `huggingface_hub` uses it, with faults on demand.

It knows datasets, git files, LFS with basic and multipart transfer, trees in pages, tags and `resolve`, and Xet where a
test sets a folder that `hf_xet` then writes into as if it were the remote store.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from huggingface_hub import constants

from tests.hub_store import Blob, Refusal, Repo, Store

WRITER, READER = "hf_testwritertoken", "hf_testreadertoken"
"""Tokens of the user `tester`; with the second nothing may be written."""

NAMESPACES = ("tester", "team", "OWNER", "owner")
_BLOCK = 1 << 16


@dataclass
class Fault:
    """What goes wrong with the next `times` requests whose method and path fit.

    Attributes:
        route: regular expression over e.g. `PUT /storage/u0/1`.
        status: of the answer; 0 closes the connection instead.
        times: how often.
        headers: of the answer.
        after: bytes of the body that are read before the connection is closed.
        delay: seconds before the answer.
        applied: the request is carried out, only its answer is lost.
    """

    route: str
    status: int = 0
    times: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)
    after: int = 0
    delay: float = 0
    applied: bool = False


class HubServer(ThreadingHTTPServer):
    """The server and what a test may set and read.

    Attributes:
        store: repositories and blobs.
        faults: tried in their order.
        chunk: bytes of a part; larger files go by parts.
        page: entries of a page of a tree.
        rate: bytes a second that each connection to the storage takes, 0 for no limit.
        received: bytes of all request bodies, whole or not.
        requests: method and path of all requests.
        xet: folder of the Xet store, None for a Hub without one.
    """

    daemon_threads = True

    def __init__(self, folder: Path, chunk: int = 1 << 20) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store = Store(folder)
        self.faults: list[Fault] = []
        self.chunk, self.page, self.rate = chunk, 3, 0
        self.received = 0
        self.requests: list[str] = []
        self.xet: Path | None = None
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that were killed."""

    def take_fault(self, line: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.route, line):
                    fault.times -= 1
                    return fault
        return None


@contextmanager
def serve(folder: Path, chunk: int = 1 << 20) -> Iterator[HubServer]:
    """A server that runs in a thread of this process."""
    server = HubServer(folder, chunk)
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
    with serve(folder / "hub", chunk=100_000) as server:
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
        self.lost = fault is not None and fault.applied
        if fault is not None and fault.delay:
            threading.Event().wait(fault.delay)
        try:
            if fault is not None and not fault.status and not fault.applied:
                self._read(fault.after)
                self.close_connection = True
                return
            body = self._spool() if self.command == "PUT" else self._read()
            if fault is not None and fault.status:
                self._json(fault.status, {"error": "as the test asked"}, fault.headers)
                return
            for pattern, handle in _ROUTES:
                match = re.fullmatch(pattern, line)
                if match:
                    answer = handle(self, body, *match.groups())
                    break
            else:
                raise Refusal(404, f"no such page: {line}")
            if answer is not None:
                self._json(200, answer)
        except Refusal as refusal:
            code = {"X-Error-Code": refusal.code} if refusal.code else {}
            self._json(refusal.status, {"error": refusal.message}, {"X-Error-Message": refusal.message, **code})

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def _blocks(self, most: int | None = None) -> Iterator[bytes]:
        left = int(self.headers.get("Content-Length") or 0)
        left = left if most is None else min(left, most)
        while left:
            block = self.rfile.read1(min(left, _BLOCK))
            if not block:
                raise ConnectionResetError
            left -= len(block)
            with self.server.lock:
                self.server.received += len(block)
            if self.server.rate and self.command == "PUT":
                time.sleep(len(block) / self.server.rate)
            yield block

    def _read(self, most: int | None = None) -> bytes:
        return b"".join(self._blocks(most))

    def _spool(self) -> bytes:
        """Write the body to a file of its own and return its path."""
        path = self.server.store.folder / "uploads" / f"body-{threading.get_ident()}-{time.monotonic_ns()}"
        with path.open("wb") as out:
            for block in self._blocks():
                out.write(block)
        return bytes(path)

    def _json(self, status: int, content: Any, headers: Mapping[str, str] | None = None) -> None:
        self._answer(status, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _answer(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
        if self.lost:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _writes(self, name: str) -> None:
        """Refuse whoever may not write."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in (WRITER, READER):
            raise Refusal(401, "Invalid username or password.")
        if token == READER or name.split("/")[0] not in NAMESPACES:
            raise Refusal(403, f"You don't have the rights to write to {name}")

    def _repo(self, name: str) -> Repo:
        """A repository that the caller may see."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in (WRITER, READER):
            raise Refusal(401, "Invalid credentials in Authorization header")
        repo = self.server.store.repo(name)
        if repo.private and not token:
            raise Refusal(401, "Invalid username or password.")
        return repo

    # What the Hub answers; each handler gets the body and what its pattern caught.

    def _whoami(self, body: bytes) -> Any:
        self._writes("tester/any")
        return {"type": "user", "name": "tester", "orgs": [{"name": "team"}]}

    def _create(self, body: bytes) -> Any:
        asked = json.loads(body)
        name = f"{asked['organization'] or 'tester'}/{asked['name']}"
        self._writes(name)
        private = asked.get("visibility") == "private" or asked.get("private", False)
        self.server.store.create(name, private)
        return {"url": f"{self.server.url}/datasets/{name}"}

    def _info(self, body: bytes, name: str, revision: str | None = None) -> Any:
        repo = self._repo(name)
        sha = repo.sha(revision or "main")
        files = [{"rfilename": path} for path in repo.files(sha)]
        return {"id": name, "sha": sha, "private": repo.private, "siblings": files, "tags": [], "downloads": 0}

    def _validate(self, body: bytes) -> Any:
        return {"errors": [], "warnings": []}

    def _xet_token(self, body: bytes, name: str, revision: str) -> Any:
        self._writes(name)
        if self.server.xet is None:
            raise Refusal(404, "no Xet here")
        return {"accessToken": "xet", "exp": int(time.time()) + 3600, "casUrl": f"local://{self.server.xet}"}

    def _preupload(self, body: bytes, name: str, revision: str) -> Any:
        self._writes(name)
        there = self._repo(name).files(revision)
        answer = []
        for asked in json.loads(body)["files"]:
            blob = there.get(asked["path"])
            mode = "lfs" if asked["path"].endswith(".parquet") or asked["size"] > 10_000_000 else "regular"
            oid = None if blob is None else blob.sha256 if blob.lfs else blob.oid
            answer.append({"path": asked["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return {"files": answer}

    def _batch(self, body: bytes, name: str) -> Any:
        self._writes(name)
        url, answer = self.server.url, []
        for asked in json.loads(body)["objects"]:
            oid, size = asked["oid"], asked["size"]
            found: dict[str, Any] = {"oid": oid, "size": size}
            if not self.server.store.blob(oid).exists():
                upload: dict[str, Any] = {"href": f"{url}/storage/{oid}?X-Amz-Signature=secret"}
                if size > self.server.chunk:
                    number = self.server.store.begin(oid, size)
                    count = -(-size // self.server.chunk)
                    parts = {str(n): f"{url}/storage/{number}/{n}?X-Amz-Signature=secret" for n in range(1, count + 1)}
                    upload = {"href": f"{url}/complete/{number}", "header": {"chunk_size": str(self.server.chunk)}}
                    upload["header"] |= parts
                found["actions"] = {"upload": upload, "verify": {"href": f"{url}/verify/{name}"}}
            answer.append(found)
        return {"transfer": "multipart", "objects": answer}

    def _store_part(self, body: bytes, upload: str, number: str) -> None:
        self._only_signed()
        spooled = Path(body.decode())
        if upload not in self.server.store.uploads:
            raise Refusal(404, "NoSuchUpload")
        digest = hashlib.md5(spooled.read_bytes()).hexdigest()
        spooled.replace(self.server.store.part(upload, int(number)))
        self._answer(200, b"", {"ETag": f'"{digest}"'})

    def _store_whole(self, body: bytes, oid: str) -> None:
        self._only_signed()
        spooled = Path(body.decode())
        self.server.store.accept(spooled, oid, spooled.stat().st_size)
        self._answer(200, b"", {})

    def _only_signed(self) -> None:
        if self.headers.get("Authorization"):
            raise Refusal(400, "Only one auth mechanism allowed; the token was sent to the storage")

    def _complete(self, body: bytes, upload: str) -> Any:
        self.server.store.complete(upload, json.loads(body)["parts"])
        return {"success": True}

    def _verify(self, body: bytes, name: str) -> Any:
        self._writes(name)
        asked = json.loads(body)
        blob = self.server.store.blob(asked["oid"])
        if not blob.exists() or blob.stat().st_size != asked["size"]:
            raise Refusal(404, "Object does not exist")
        return {}

    def _commit(self, body: bytes, name: str, revision: str) -> Any:
        self._writes(name)
        lines = [json.loads(line) for line in body.splitlines()]
        sha = self.server.store.commit(name, lines, elsewhere=self.server.xet is not None)
        return {"success": True, "commitOid": sha, "commitUrl": f"{self.server.url}/datasets/{name}/commit/{sha}"}

    def _tree(self, body: bytes, name: str, revision: str, folder: str | None = None) -> None:
        repo = self._repo(name)
        listed = self._entries(repo.files(revision), folder or "", self.query.get("recursive") == "true")
        if folder and not listed:
            raise Refusal(404, f"{folder} does not exist on {revision}", "EntryNotFound")
        start = int(self.query.get("cursor", 0))
        headers = {"Content-Type": "application/json"}
        if start + self.server.page < len(listed):
            query = "&".join(f"{k}={v}" for k, v in self.query.items() if k != "cursor")
            link = f"{self.server.url}{quote(self.route)}?{query}&cursor={start + self.server.page}"
            headers["Link"] = f'<{link}>; rel="next"'
        page = listed[start : start + self.server.page]
        self._answer(200, json.dumps(page).encode(), headers)

    def _entries(self, files: Mapping[str, Blob], folder: str, recursive: bool) -> list[dict[str, Any]]:
        prefix = f"{folder}/" if folder else ""
        found: dict[str, dict[str, Any]] = {}
        for path, blob in sorted(files.items()):
            if not path.startswith(prefix):
                continue
            steps = path.removeprefix(prefix).split("/")
            for depth in range(1, len(steps) if recursive else min(2, len(steps))):
                inner = prefix + "/".join(steps[:depth])
                oid = hashlib.sha1(inner.encode()).hexdigest()
                found[inner] = {"type": "directory", "path": inner, "size": 0, "oid": oid}
            if recursive or len(steps) == 1:
                found[path] = blob.entry(path)
        return list(found.values())

    def _paths(self, body: bytes, name: str, revision: str) -> Any:
        files = self._repo(name).files(revision)
        asked = parse_qs(body.decode()).get("paths", [])
        folders = {e["path"]: e for e in self._entries(files, "", True) if e["type"] == "directory"}
        return [files[p].entry(p) if p in files else folders[p] for p in asked if p in files or p in folders]

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
        if self.command == "HEAD":
            self._answer(200, b"", headers | {"Content-Length": str(blob.size)})
            return
        data = self.server.store.blob(blob.sha256).read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None:
            self._answer(200, data, headers)
            return
        first, last = int(asked[1]), int(asked[2] or blob.size - 1)
        headers["Content-Range"] = f"bytes {first}-{min(last, blob.size - 1)}/{blob.size}"
        self._answer(206, data[first : last + 1], headers)


_NAME, _REST = r"([^/]+/[^/]+?)", r"(.+)"
_API = rf"/api/datasets/{_NAME}"
_ROUTES: tuple[tuple[str, Callable[..., Any]], ...] = (
    (r"GET /api/whoami-v2", _Handler._whoami),
    (r"POST /api/repos/create", _Handler._create),
    (r"POST /api/validate-yaml", _Handler._validate),
    (rf"GET {_API}", _Handler._info),
    (rf"GET {_API}/revision/([^/]+)", _Handler._info),
    (rf"GET {_API}/xet-write-token/([^/]+)", _Handler._xet_token),
    (rf"POST {_API}/preupload/([^/]+)", _Handler._preupload),
    (rf"POST {_API}/commit/([^/]+)", _Handler._commit),
    (rf"GET {_API}/tree/([^/]+)(?:/{_REST})?", _Handler._tree),
    (rf"POST {_API}/paths-info/([^/]+)", _Handler._paths),
    (rf"GET {_API}/refs", _Handler._refs),
    (rf"POST {_API}/tag/([^/]+)", _Handler._tag),
    (rf"POST /datasets/{_NAME}\.git/info/lfs/objects/batch", _Handler._batch),
    (r"PUT /storage/([^/]+)/(\d+)", _Handler._store_part),
    (r"PUT /storage/([0-9a-f]{64})", _Handler._store_whole),
    (r"POST /complete/([^/]+)", _Handler._complete),
    (rf"POST /verify/{_REST}", _Handler._verify),
    (rf"(?:GET|HEAD) /datasets/{_NAME}/resolve/([^/]+)/{_REST}", _Handler._resolve),
)
