"""`--work URL`: artefacts in an object store, the rest of the run here."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest
from click.testing import CliRunner, Result

from specsia_build.cli import main
from specsia_build.pipeline.layout import RunLayout
from tests.clips import run_here, write_figures
from tests.object_store import object_store
from tests.shapes import write_folder

pytestmark = pytest.mark.usefixtures("no_workers")

SMALL = ("--size", "64", "--views", "2", "--workers", "1")
URL = "s3://bucket/run"
PLACES = 6
"""Artefacts of two characters."""


def specsia(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def asked() -> Iterator[Counter[str]]:
    """Requests to a store by kind; it has a bucket, and is that of the environment."""
    found = Counter[str]()
    s3fs = pytest.importorskip("s3fs")
    with object_store() as (store, variables), pytest.MonkeyPatch.context() as patch:
        inner = store._server.app

        def heard(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
            found["LIST" if "list-type" in environ["QUERY_STRING"] else environ["REQUEST_METHOD"]] += 1
            return inner(environ, start)

        store._server.app = heard
        for name, value in variables.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        yield found
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="module")
def built(no_workers: None, asked: Counter[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with characters, a run of them here and one with its artefacts in the store."""
    top = tmp_path_factory.mktemp("work")
    source = write_folder(top / "figures", 2)
    assert specsia("build", source, "--out", top / "here", *SMALL).exit_code == 0
    asked.clear()
    ran = specsia("build", source, "--out", top / "run", "--work", URL, *SMALL)
    assert ran.exit_code == 0, ran.output
    # Each is looked for, stored and looked at once; pack reads two of a character, and one object says whose they are.
    assert asked == {"GET": PLACES + 4, "PUT": PLACES + 1, "HEAD": PLACES, "LIST": 4}
    return top


@pytest.fixture
def run(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built / "run", tmp_path / "run"))


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def stored() -> list[str]:
    return [name for name in fsspec.filesystem("s3", use_listings_cache=False).find(URL) if name.endswith(".tar")]


def test_the_dataset_is_that_of_a_run_here(built: Path) -> None:
    assert files(built / "run" / "dataset") == files(built / "here" / "dataset")
    assert not (built / "run" / "artefacts").exists()
    assert {name.removeprefix("bucket/run/") for name in stored()} == {
        f"artefacts/{name}" for name in files(built / "here" / "artefacts")
    }


@contextmanager
def far(_config: Any, layout: RunLayout, _say: Any) -> Iterator[Any]:
    """An executor whose workers do not see the run's folder."""

    def run(function: Any, items: Sequence[Any], *_: Any) -> Iterator[tuple[int, Any]]:
        for number, item in enumerate(items):
            hidden = layout.root.rename(layout.root.with_name("hidden"))
            try:
                found = next(run_here(function, [item]))[1]
            finally:
                hidden.rename(layout.root)
            yield number, found

    yield run


@pytest.mark.parametrize("kind", ["build", "clips"])
def test_nodes_need_not_see_the_folder_of_the_run(
    kind: str, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more: tuple[object, ...] = (built / "figures", *SMALL)
    if kind == "clips":
        more = (write_figures(tmp_path / "figures", 1), *SMALL, "--frames", "2")
    work = ("--work", f"{URL}-far-{kind}", "--keep", "none")
    assert specsia(kind, *more, "--out", tmp_path / "here").exit_code == 0
    monkeypatch.setattr("specsia_build.pipeline.build.open_executor", far)
    # Processes may be begun by one that was there before this environment, in which there is a store.
    monkeypatch.setattr("specsia_build.pipeline.executors.local_executor", lambda _: run_here)
    done = specsia(kind, *more, "--out", tmp_path / "run", *work)
    assert done.exit_code == 0, done.output
    assert "freed" in done.stderr
    packed = "dataset" if kind == "build" else "frames"
    assert files(tmp_path / "run" / packed) == files(tmp_path / "here" / packed)


def test_with_nothing_to_do_no_artefact_costs_a_request(run: Path, asked: Counter[str]) -> None:
    asked.clear()
    again = specsia("build", "--out", run)
    assert again.exit_code == 0, again.output
    assert "nothing: all is up to date" in again.stderr
    # The folders of all and of three stages, and what says that they are ours.
    assert asked == {"LIST": 4, "PUT": 1}
    asked.clear()
    said = specsia("status", run)
    assert "all stages are up to date" in said.stdout
    assert asked == {"LIST": 4}


def test_a_report_shows_what_is_stored(run: Path) -> None:
    said = specsia("report", run)
    assert said.exit_code == 0, said.output
    page = (run / "report.html").read_text()
    assert "2 characters built" in page
    assert f"the artefact {URL}" not in page


def test_what_is_damaged_or_gone_is_made_again(built: Path, run: Path) -> None:
    store = fsspec.filesystem("s3", use_listings_cache=False)
    gone, spoilt = (next(name for name in stored() if part in name) for part in ("/render/", "/project/"))
    store.pipe_file(spoilt, b"no archive")
    store.rm_file(gone)
    done = specsia("build", "--out", run, "--workers", "1")
    assert done.exit_code == 0, done.output
    assert "project inflate: damaged and made again" in done.stderr
    assert files(run / "dataset") == files(built / "here" / "dataset")
    assert len(stored()) == PLACES


def test_a_run_elsewhere_takes_over_what_is_stored(built: Path, tmp_path: Path) -> None:
    done = specsia("build", built / "figures", "--out", tmp_path / "other", "--work", URL, *SMALL)
    assert "up to date  render 2, reconstruct inflate 2, project inflate 2" in done.stderr
    assert files(tmp_path / "other" / "dataset") == files(built / "here" / "dataset")
    said = specsia("merge", tmp_path / "other", built / "run", "--out", tmp_path / "whole")
    assert said.exit_code == 2
    assert f"are at {URL}, which merge does not read" in said.stderr


def test_fresh_begins_anew_there_and_spares_what_is_others(built: Path, tmp_path: Path) -> None:
    store = fsspec.filesystem("s3", use_listings_cache=False)
    own = f"{URL}-fresh"
    first = ("build", built / "figures", "--out", tmp_path / "run", "--work", own, *SMALL, "--stage", "render")
    assert specsia(*first).exit_code == 0
    store.pipe_file(f"{own}/artefacts/render/notes.txt", b"mine")
    done = specsia("build", "--out", tmp_path / "run", "--fresh", *SMALL, "--limit", "1", "--stage", "render")
    assert "notes.txt" in done.stderr
    left = [name.rpartition("/")[2] for name in store.find(own)]
    assert sorted(left) == ["0.tar", "README", "notes.txt"]


def test_fresh_of_a_shard_spares_the_others_at_one_url(built: Path, tmp_path: Path) -> None:
    store = fsspec.filesystem("s3", use_listings_cache=False)
    url = f"{URL}-shards"
    common = (built / "figures", "--work", url, *SMALL, "--stage", "render", "--json")
    for name, share in (("a", "1/2"), ("b", "2/2")):
        assert specsia("build", *common, "--out", tmp_path / name, "--shard", share).exit_code == 0
    anew = specsia("build", *common, "--out", tmp_path / "a", "--shard", "1/2", "--fresh")
    other = specsia("build", *common, "--out", tmp_path / "b", "--shard", "2/2")
    assert [json.loads(one.stdout)["stages"][0]["made"] for one in (anew, other)] == [1, 0]
    assert len([name for name in store.find(url) if name.endswith(".tar")]) == 2


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("s3://no-such-bucket/run", "s3://no-such-bucket/run/artefacts/README cannot be written"),
        ("nonesuch://bucket/run", "nonesuch://bucket/run is no URL that can be opened"),
        ("/some/folder", "work cannot be '/some/folder': it is a URL"),
        ("memory://run", "work cannot be 'memory://run': it is a URL"),
    ],
)
def test_stores_that_cannot_be_used(url: str, says: str, tmp_path: Path, asked: Counter[str]) -> None:
    said = specsia("build", "sample:1", "--out", tmp_path / "run", "--work", url)
    assert said.exit_code in (1, 2)
    assert says in said.stderr
    assert not (tmp_path / "run").exists()


def test_what_is_dropped_in_the_store_is_told_by_the_index_and_made_again(built: Path, run: Path) -> None:
    whole = (built / "here" / "dataset" / "SHA256SUMS").read_bytes()
    dropped = specsia("build", "--out", run, "--keep", "none")
    assert f"of {URL}, by --keep none; other builds that name this URL make again" in " ".join(dropped.output.split())
    assert dropped.exit_code == 0
    assert "nothing: all is up to date" in specsia("build", "--out", run).output
    again = specsia("build", "--out", run, "--keep", "all")
    assert again.output.count("made again, as --keep had dropped it") == PLACES / 2, again.output
    assert (run / "dataset" / "SHA256SUMS").read_bytes() == whole


def test_what_pack_finds_damaged_is_made_again(built: Path, run: Path) -> None:
    store = fsspec.filesystem("s3", use_listings_cache=False)
    spoilt = next(name for name in stored() if "/render/" in name)
    data = bytearray(store.cat_file(spoilt))
    data[len(data) // 2] ^= 1
    store.pipe_file(spoilt, bytes(data))
    shutil.rmtree(run / "dataset")
    done = specsia("build", "--out", run, "--workers", "1")
    assert done.exit_code == 0, done.output
    assert "render: damaged and made again" in done.stderr
    assert files(run / "dataset") == files(built / "here" / "dataset")
