"""A local server of the Hub's HTTP protocol as `huggingface_hub` uses it, with faults on demand.

It knows datasets, git files, LFS with basic transfer, trees, tags and `resolve`.
"""

import base64
import hashlib
import json
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from flask import Flask, Response, request, send_file
from huggingface_hub import constants
from werkzeug.serving import make_server

WRITER, READER = "hf_testwritertoken", "hf_testreadertoken"
"""Tokens of the user `tester`; with the second nothing may be written."""

NAMESPACES = ("tester", "OWNER", "owner")


@dataclass(eq=False)
class Refusal(Exception):
    """An answer of 4xx: status, message and the Hub's error code."""

    status: int
    message: str
    code: str = ""


@dataclass(frozen=True)
class Fault:
    """Answer requests whose method and path match with a status."""

    route: str
    status: int


@dataclass(frozen=True)
class Blob:
    """A file of a commit: its size, its SHA-256, and the id of its git object, which is empty where LFS keeps
    it."""

    size: int
    sha256: str
    oid: str = ""

    @property
    def key(self) -> str:
        """Identity of a file's content, to compare with a local file."""
        return self.oid or self.sha256

    def entry(self, path: str) -> dict[str, Any]:
        """As the Hub lists it."""
        entry = {"type": "file", "path": path, "size": self.size, "oid": self.key[:40]}
        return entry | (
            {} if self.oid else {"lfs": {"oid": self.sha256, "size": self.size, "pointerSize": 130}}
        )


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


class HubServer:
    """The server and what a test may set and read.

    Attributes:
        repos: repositories in memory; their blobs are in a folder.
        fault: of some requests.
        received: bytes of all request bodies.
        requests: method and path of all requests.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.repos = folder, dict[str, Repo]()
        self.fault: Fault | None = None
        self.received = 0
        self.requests: list[str] = []
        self.lock = threading.Lock()
        self.url = ""
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
        attributes = self._keep(b"*.parquet filter=lfs diff=lfs merge=lfs -text\n")
        self.repos[name].commit({".gitattributes": attributes})

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
        oid = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        blob = Blob(len(data), hashlib.sha256(data).hexdigest(), oid)
        self.blob(blob.sha256).write_bytes(data)
        return blob

    def body(self) -> bytes:
        data = request.get_data()
        with self.lock:
            self.received += len(data)
        return data


@contextmanager
def logged_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A server to which this process is logged in, and which it takes for the Hub."""
    monkeypatch.setenv("HF_TOKEN", WRITER)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub-cache"))
    hub = HubServer(folder / "hub")
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = make_server("127.0.0.1", 0, application(hub), threaded=True)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def token() -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


def check_writer(name: str) -> None:
    """Refuse a caller without the right to write."""
    if token() not in (WRITER, READER):
        raise Refusal(401, "Invalid username or password.")
    if token() == READER or name.split("/")[0] not in NAMESPACES:
        raise Refusal(403, f"You don't have the rights to write to {name}")


def application(hub: HubServer) -> Flask:
    """The pages of the Hub."""
    app = Flask("hub")
    dataset = "/api/datasets/<owner>/<name>"

    def readable(owner: str, name: str) -> Repo:
        """A repository that the caller may see."""
        if token() not in ("", WRITER, READER):
            raise Refusal(401, "Invalid credentials in Authorization header")
        repo = hub.repo(f"{owner}/{name}")
        if repo.private and not token():
            raise Refusal(401, "Invalid username or password.")
        return repo

    @app.before_request
    def note() -> None:
        line = f"{request.method} {request.path}"
        hub.requests.append(line)
        if hub.fault is not None and re.search(hub.fault.route, line):
            hub.body()
            raise Refusal(hub.fault.status, "as the test asked")

    @app.errorhandler(Refusal)
    def refuse(refusal: Refusal) -> Any:
        code = {"X-Error-Code": refusal.code} if refusal.code else {}
        return {"error": refusal.message}, refusal.status, {"X-Error-Message": refusal.message, **code}

    @app.post("/api/validate-yaml")
    def validate() -> Any:
        hub.body()
        return {"errors": [], "warnings": []}

    @app.post("/api/repos/create")
    def create() -> Any:
        asked = json.loads(hub.body())
        name = f"{asked['organization'] or 'tester'}/{asked['name']}"
        check_writer(name)
        hub.create(name, asked.get("visibility") == "private" or asked.get("private", False))
        return {"url": f"{hub.url}/datasets/{name}"}

    @app.get(dataset)
    @app.get(f"{dataset}/revision/<revision>")
    def info(owner: str, name: str, revision: str = "main") -> Any:
        repo = readable(owner, name)
        files = [{"rfilename": path} for path in repo.files(revision)]
        told = {
            "id": f"{owner}/{name}",
            "sha": repo.sha(revision),
            "private": repo.private,
            "siblings": files,
        }
        return {**told, "tags": [], "downloads": 0}

    @app.get(f"{dataset}/refs")
    def refs(owner: str, name: str) -> Any:
        tags = readable(owner, name).tags.items()
        listed = [{"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": sha} for tag, sha in tags]
        return {"branches": [], "converts": [], "tags": listed}

    @app.get(f"{dataset}/tree/<revision>")
    @app.get(f"{dataset}/tree/<revision>/<path:folder>")
    def tree(owner: str, name: str, revision: str, folder: str = "") -> Any:
        files = readable(owner, name).files(revision)
        folders = {str(parent) for path in files for parent in PurePosixPath(path).parents} - {"."}
        entries: list[dict[str, Any]] = [
            {"type": "directory", "path": path, "size": 0, "oid": ""} for path in folders
        ]
        entries += [blob.entry(path) for path, blob in sorted(files.items())]
        return [entry for entry in entries if entry["path"].startswith(f"{folder}/" if folder else "")]

    @app.post(f"{dataset}/preupload/<revision>")
    def preupload(owner: str, name: str, revision: str) -> Any:
        check_writer(owner)
        remote, answer = readable(owner, name).files(revision), []
        for path in (asked["path"] for asked in json.loads(hub.body())["files"]):
            mode, blob = "lfs" if path.endswith(".parquet") else "regular", remote.get(path)
            answer.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": blob and blob.key})
        return {"files": answer}

    @app.post("/datasets/<owner>/<name>.git/info/lfs/objects/batch")
    def batch(owner: str, name: str) -> Any:
        check_writer(owner)
        answer = []
        for asked in json.loads(hub.body())["objects"]:
            href = f"{hub.url}/storage/{asked['oid']}?X-Amz-Signature=secret"
            there = hub.blob(asked["oid"]).exists()
            answer.append({**asked, **({} if there else {"actions": {"upload": {"href": href}}})})
        return {"transfer": "basic", "objects": answer}

    @app.put("/storage/<oid>")
    def store(oid: str) -> Any:
        data = hub.body()
        if hashlib.sha256(data).hexdigest() != oid:
            raise Refusal(422, "the content is not what its SHA-256 says")
        hub.blob(oid).write_bytes(data)
        return ""

    @app.post(f"{dataset}/commit/<revision>")
    def commit(owner: str, name: str, revision: str) -> Any:
        check_writer(owner)
        sha = hub.commit(f"{owner}/{name}", [json.loads(line) for line in hub.body().splitlines()])
        url = f"{hub.url}/datasets/{owner}/{name}/commit/{sha}"
        return {"success": True, "commitOid": sha, "commitUrl": url}

    @app.post(f"{dataset}/tag/<revision>")
    def tag(owner: str, name: str, revision: str) -> Any:
        check_writer(owner)
        repo, asked = readable(owner, name), json.loads(hub.body())["tag"]
        if asked in repo.tags:
            raise Refusal(409, "Tag reference exists already")
        repo.tags[asked] = repo.sha(revision)
        return {}

    @app.get("/datasets/<owner>/<name>/resolve/<revision>/<path:path>")
    def resolve(owner: str, name: str, revision: str, path: str) -> Response:
        repo = readable(owner, name)
        blob = repo.files(revision).get(path)
        if blob is None:
            raise Refusal(404, "Entry not found", "EntryNotFound")
        answer = send_file(hub.blob(blob.sha256), "application/octet-stream", etag=blob.key)
        answer.headers["X-Repo-Commit"] = repo.sha(revision)
        if not blob.oid:
            answer.headers |= {"X-Linked-Size": str(blob.size), "X-Linked-Etag": f'"{blob.key}"'}
        return answer

    return app
