"""`specsia push` to a local Hub: uploads, refusals and messages."""

from __future__ import annotations

import json
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from huggingface_hub import CommitOperationAdd, HfApi, constants, snapshot_download

from specsia_build.backends.upstream.pins import limits_of
from specsia_build.dataset.pairs import splits_of
from specsia_build.dataset.push import read_local
from specsia_build.dataset.reading import open_dataset
from specsia_build.dataset.verify.check import verify
from specsia_build.errors import SpecsiaError, UsageError
from tests.checksums import write_sums
from tests.commands import specsia
from tests.dataset.pushable import write_dataset
from tests.hub_server import READER, WRITER, Fault, HubServer

REPO = "tester/pairs"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "dataset", shards=2, shard_bytes=350_000)


def specsia_push(folder: Path, *arguments: str, repo: str = REPO) -> Result:
    result = specsia("push", folder, "--repo", repo, *arguments, code=None)
    assert WRITER not in result.output and READER not in result.output
    return result


def sentence(result: Result, code: int = 1) -> str:
    """The one line of an error."""
    assert result.exit_code == code, result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("specsia: ")]
    assert len(lines) == 1
    return lines[0]


def holds(server: HubServer, folder: Path, repo: str = REPO) -> bool:
    """Whether a repository holds a dataset and nothing else."""
    remote = server.repo(repo).files("main")
    local = dict(read_local(folder).digests)
    return {name: blob.sha256 for name, blob in remote.items() if name != ".gitattributes"} == local


def put_there(server: HubServer, files: dict[str, str]) -> None:
    """Add files to the repository as somebody else would."""
    api = HfApi(endpoint=server.url, token=WRITER)
    api.create_repo(REPO, repo_type="dataset", private=True, exist_ok=True)
    additions = [CommitOperationAdd(name, text.encode()) for name, text in files.items()]
    if additions:
        api.create_commit(REPO, additions, commit_message="mine", repo_type="dataset")


def names(server: HubServer) -> set[str]:
    return set(server.repo(REPO).files("main")) - {".gitattributes"}


def test_push_is_one_tagged_commit(server: HubServer, dataset: Path) -> None:
    planned = json.loads(specsia_push(dataset, "--dry-run", "--json").stdout)
    assert [step["kind"] for step in planned["operations"]] == ["create", *["add"] * 6, "tag"]
    assert not server.repos
    result = specsia_push(dataset)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{server.url}/datasets/{REPO} (private) is the dataset: 6 files of ")
    assert f"specsia verify {REPO}\n" in result.stderr and f'load_dataset("{REPO}")\n' in result.stderr
    assert holds(server, dataset)
    repo = server.repo(REPO)
    assert repo.private
    assert len(repo.commits) == 2
    assert repo.tags == {"v1.2.3": repo.head}
    received = server.received
    again = specsia_push(dataset)
    assert again.exit_code == 0, again.output
    assert "nothing to push" in again.stdout
    assert server.received == received


def test_new_version_keeps_old_tag(server: HubServer, dataset: Path) -> None:
    specsia_push(dataset)
    old, before = server.repo(REPO).head, dict(server.repo(REPO).commits)
    shard = sorted(dataset.glob("data/*"))[1]
    (dataset / "README.md").write_text((dataset / "README.md").read_text() + "More.\n")
    (dataset / "LICENSE").write_text("CC0\n")
    shard.unlink()
    write_sums(dataset)
    planned = specsia_push(dataset, "--dry-run")
    assert planned.exit_code == 0, planned.output
    *steps, tag = [line.split()[:2] for line in planned.stdout.splitlines()[:-1]]
    wanted = [["add", "LICENSE"], ["replace", "README.md"], ["replace", "SHA256SUMS"]]
    wanted.append(["delete", f"data/{shard.name}"])
    assert steps == wanted and "3 files already there" in planned.stdout
    assert server.repo(REPO).commits == before
    assert specsia_push(dataset).exit_code == 0
    assert holds(server, dataset)
    repo = server.repo(REPO)
    assert len(repo.commits) == 3
    assert repo.tags == {"v1.2.3": old, tag[1]: repo.head}
    assert tag[1].startswith("v1.2.3-")
    assert specsia_push(dataset, "--json").exit_code == 0
    assert len(repo.tags) == 2


def test_failed_push_continues(server: HubServer, dataset: Path) -> None:
    server.fault = Fault("POST .*/commit", 503)
    assert "503 (as the test asked)" in sentence(specsia_push(dataset))
    assert not server.repo(REPO).tags
    server.fault, before = None, server.received
    assert specsia_push(dataset).exit_code == 0
    assert server.received - before < 100_000
    assert holds(server, dataset)


def test_token_without_rights(server: HubServer, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "answered 403 (You don't have" in sentence(specsia_push(dataset, repo="stranger/pairs"))
    specsia_push(dataset)
    (dataset / "README.md").write_text("---\nlicense: mit\n---\n")
    write_sums(dataset)
    monkeypatch.setenv("HF_TOKEN", READER)
    assert "answered 403" in sentence(specsia_push(dataset))
    monkeypatch.setenv("HF_TOKEN", "hf_madeupmadeup")
    result = specsia_push(dataset)
    assert "answered 401" in sentence(result)
    assert "HF_TOKEN" in sentence(result)
    assert "hf_madeup" not in result.output


def test_missing_token_network_or_name(
    server: HubServer, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [["create", REPO], *(["add", name] for name in read_local(dataset).digests), ["tag", "v1.2.3"]]
    assert "OWNER/NAME" in sentence(specsia_push(dataset, repo="pairs"), 2)
    with monkeypatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        assert "HF_HUB_OFFLINE is set" in sentence(specsia_push(dataset), 2)
    assert not server.requests
    with monkeypatch.context() as patch:
        patch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
        assert "http://127.0.0.1:9 " in sentence(specsia_push(dataset))
    monkeypatch.setenv("HF_TOKEN", "hf tökän")
    assert "there is no usable token" in sentence(specsia_push(dataset), 2)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(dataset.parent / "token"))
    refused = sentence(specsia_push(dataset), 2)
    assert "there is no usable token" in refused
    assert "HF_TOKEN" in refused
    put_there(server, {})
    planned = specsia_push(dataset, "--dry-run")
    assert planned.exit_code == 0, planned.output
    assert [line.split()[:2] for line in planned.stdout.splitlines()[:-1]] == steps
    assert f"these are the steps if {REPO} does not exist" in planned.stderr
    (dataset.parent / "token").write_text(f"{WRITER}\n")
    assert specsia_push(dataset).exit_code == 0


def test_differing_remote_is_not_tagged(
    server: HubServer, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = server.commit

    def loses_a_file(name: str, lines: list[dict[str, object]], **_: bool) -> str:
        sha = commit(name, lines)
        files = server.repo(name).commits[sha]
        del files["README.md"]
        shard = "data/train-00000-of-00002.parquet"
        files[shard] = files["data/train-00001-of-00002.parquet"]
        return sha

    monkeypatch.setattr(server, "commit", loses_a_file)
    result = specsia_push(dataset)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[:2] == ["README.md is missing", "data/train-00000-of-00002.parquet has another checksum"]
    assert lines[2].startswith("FAILED: ")
    assert not server.repo(REPO).tags


def test_incomplete_dataset_is_refused(server: HubServer, dataset: Path, tmp_path: Path) -> None:
    def refused(*, sealed: bool = True) -> str:
        if sealed:
            write_sums(dataset)
        text = sentence(specsia_push(dataset))
        assert not server.requests
        return text

    assert "is not a folder" in sentence(specsia_push(tmp_path / "missing"), 2)
    assert f"did you mean {dataset}?" in sentence(specsia_push(tmp_path), 2)
    (dataset / "hero.glb").write_bytes(b"glTF")
    assert "hero.glb is a 3D asset" in refused(sealed=False)
    assert "hero.glb is a 3D asset" in refused()
    (dataset / "hero.glb").rename(dataset / "skin.png")
    assert "skin.png is not part" in refused()
    (dataset / "skin.png").rename(dataset / "notes.txt")
    assert "notes.txt is not listed in SHA256SUMS; skin.png is missing" in refused(sealed=False)
    (dataset / "notes.txt").unlink()
    write_sums(dataset)
    shard = next(dataset.glob("data/*"))
    content = bytearray(shard.read_bytes())
    content[1000] ^= 1
    shard.write_bytes(content)
    assert f"data/{shard.name} has changed since it was packed" in refused(sealed=False)
    shard.unlink()
    assert f"data/{shard.name} is missing" in refused(sealed=False)
    (dataset / "SHA256SUMS").unlink()
    assert "is not a complete dataset" in sentence(specsia_push(dataset), 2)


@pytest.mark.parametrize(
    ("license_", "allowed"),
    [
        (None, False),
        ("All rights reserved", False),
        ("CC BY-ND 4.0", False),
        ("CC BY-NC 4.0", True),
        ("LicenseRef-Studio-2024", True),
    ],
)
def test_unlicensed_stays_private(
    server: HubServer, tmp_path: Path, license_: str | None, allowed: bool
) -> None:
    folder = write_dataset(tmp_path / "set", shards=1, shard_bytes=1000, license_=license_)
    public = specsia_push(folder, "--public")
    if allowed:
        assert public.exit_code == 0
        assert not server.repo(REPO).private
        assert "give --public to push to it" in sentence(specsia_push(folder))
        return
    assert "1 row " in sentence(public)
    assert not server.requests
    assert specsia_push(folder).exit_code == 0
    assert server.repo(REPO).private


def test_limits_of_a_backend_are_checked_first(server: HubServer, tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "set", shards=1, shard_bytes=1000, backend="hunyuan3d")
    refused = sentence(specsia_push(folder), 2)
    assert "European Union" in refused and "--license-checked" in refused and not server.requests
    assert specsia_push(folder, "--license-checked").exit_code == 0 and server.repo(REPO).private
    assert "hunyuan3d" in limits_of(["relief", "crm", "hunyuan3d", "their-own"])


def test_foreign_files_stay(server: HubServer, dataset: Path) -> None:
    put_there(server, {"notes.txt": "mine", "models/a.bin": "mine"})
    first = specsia_push(dataset)
    assert first.exit_code == 0, first.output
    assert "not given: models/a.bin, notes.txt" in first.stderr
    local = set(read_local(dataset).digests)
    assert names(server) == local | {"notes.txt", "models/a.bin"}
    assert server.repo(REPO).tags
    shard = next(dataset.glob("data/*"))
    shard.unlink()
    write_sums(dataset)
    planned = json.loads(specsia_push(dataset, "--dry-run", "--json").stdout)
    steps = planned["operations"]
    assert [step["name"] for step in steps if step["kind"] == "delete"] == [f"data/{shard.name}"]
    assert planned["spared"] == ["models/a.bin", "notes.txt"]
    assert specsia_push(dataset).exit_code == 0
    assert names(server) == local - {f"data/{shard.name}"} | {"notes.txt", "models/a.bin"}
    pruned = specsia_push(dataset, "--prune")
    assert pruned.exit_code == 0, pruned.output
    assert holds(server, dataset)


def test_edited_card_replaced_on_request(server: HubServer, dataset: Path) -> None:
    assert specsia_push(dataset).exit_code == 0
    edit = CommitOperationAdd("README.md", b"my words")
    api = HfApi(endpoint=server.url, token=WRITER)
    api.create_commit(REPO, [edit], commit_message="mine", repo_type="dataset")
    (dataset / "README.md").write_text((dataset / "README.md").read_text() + "More.\n")
    write_sums(dataset)
    for arguments in ((), ("--dry-run",)):
        text = sentence(specsia_push(dataset, *arguments), 2)
        assert f"{REPO} holds README.md" in text
        assert "--prune" in text
    assert not holds(server, dataset)
    assert specsia_push(dataset, "--prune").exit_code == 0
    assert holds(server, dataset)


def test_pushed_dataset_is_read(
    server: HubServer, one_backend: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specsia("push", one_backend, "--repo", REPO)
    here, there = open_dataset(one_backend), open_dataset(REPO)
    assert (there.kind, there.configs, there.digest()) == (here.kind, here.configs, here.digest())
    columns = ("uid", "gt", "iou")
    assert list(there.stream("default", "train", columns)) == list(here.stream("default", "train", columns))
    assert there.take("default", "test", [1], columns) == here.take("default", "test", [1], columns)
    assert splits_of(there) == splits_of(here)
    assert verify(REPO).ok
    assert open_dataset(f"hf://datasets/{REPO}").digest() == here.digest()
    snapshot_download(REPO, repo_type="dataset", endpoint=server.url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    before = len(server.requests)
    # What lies in the Hub's cache are links.
    cached = open_dataset(REPO)
    assert cached.digest() == here.digest()
    assert list(cached.stream("default", "train", columns)) == list(here.stream("default", "train", columns))
    assert len(server.requests) == before
    with pytest.raises(SpecsiaError, match="HF_HUB_OFFLINE is set"):
        open_dataset("tester/others")


def test_missing_repository(server: HubServer) -> None:
    with pytest.raises(UsageError, match="tester/nothing"):
        open_dataset("tester/nothing")


@pytest.mark.parametrize("after", [False, True])
def test_a_push_that_was_killed_at_any_call(
    server: HubServer, dataset: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    names = ("dataset_info", "list_repo_refs", "list_repo_tree", "create_repo", "create_commit", "create_tag")
    calls = {name: getattr(HfApi, name) for name in names}
    left = 0

    def call(api: HfApi, *arguments: Any, own: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        try:
            return own(api, *arguments, **options) if after or left else None
        finally:
            if left == 0:
                raise KeyboardInterrupt

    for killed in range(1, 100):
        left, repo = killed, f"tester/killed-{killed}"
        with monkeypatch.context() as patch:
            for name, own in calls.items():
                patch.setattr(HfApi, name, partialmethod(call, own=own))
            ran = specsia_push(dataset, repo=repo)
        if ran.exit_code == 0:
            break
        assert ran.exit_code == 130
        assert specsia_push(dataset, repo=repo).exit_code == 0
        assert holds(server, dataset, repo)
        assert server.repo(repo).tags == {"v1.2.3": server.repo(repo).head}
    assert killed == 7


def test_advice_by_status(server: HubServer, dataset: Path) -> None:
    advice = set()
    for status in (401, 403, 404, 413, 429, 500):
        server.fault = Fault("POST .*/commit", status)
        text = sentence(specsia_push(dataset))
        assert f"answered {status}" in text
        advice.add(text.partition("): ")[2])
    assert len(advice) == 6
