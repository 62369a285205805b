"""A layout's folder: verified as a copy, pushed to a local Hub, and continued after a kill."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from specsia_build import png
from specsia_build.config import BuildConfig
from specsia_build.dataset import push as hub
from specsia_build.dataset.verify.report import Report
from specsia_build.errors import SpecsiaError
from specsia_build.layouts.frames import Frames
from specsia_build.layouts.part import Written, read_parts
from specsia_build.layouts.verify import verify
from tests.checksums import file_sums
from tests.clips import SIZE, clips_config, run_clips, write_figures
from tests.commands import specsia
from tests.hub_server import HubServer

CLIP, PICTURE = "a-sway-00", "a-sway-00/color/0001.png"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> BuildConfig:
    """Of three figures, one in each split, with the layout `frames` alone."""
    figures = write_figures(tmp_path_factory.mktemp("figures"))
    return clips_config(figures, layouts=["frames"], views=1, turntable=False)


@pytest.fixture(scope="module")
def frames_run(config: BuildConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its run; not to be changed."""
    return run_clips(tmp_path_factory.mktemp("frames") / "run", config)[0].root


@pytest.fixture
def copy(frames_run: Path, tmp_path: Path) -> Path:
    """Of the folder, as it is downloaded from a Hub."""
    shutil.copytree(frames_run / "frames", tmp_path / "copy")
    return tmp_path / "copy"


def found(report: Report) -> list[tuple[str, str]]:
    return [(problem.check, problem.where) for problem in report.problems]


def sign(folder: Path) -> None:
    """Write the sums and sizes of all files anew, as somebody does who knows the format."""
    lines = []
    own = {name: sha for name, sha in file_sums(folder).items() if not name.startswith("notes")}
    for line in (folder / "parts.jsonl").read_text().splitlines():
        part = json.loads(line)
        part["files"] = {name: [(folder / name).stat().st_size, own.pop(name)] for name in part["files"]}
        lines.append(part)
    (folder / "parts.jsonl").write_text("".join(json.dumps(part) + "\n" for part in lines))
    sums = {name: digest for part in lines for name, (_, digest) in part["files"].items()}
    sums |= {name: file_sums(folder)[name] for name in own}
    (folder / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))


def change_parts(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the first part's line, and sign it."""
    first, *others = (folder / "parts.jsonl").read_text().splitlines()
    part = json.loads(first)
    change(part)
    (folder / "parts.jsonl").write_text("\n".join([json.dumps(part), *others]) + "\n")
    sign(folder)


def test_copy_passes_with_any_workers(copy: Path) -> None:
    report = verify(str(copy))
    assert report.ok, report.lines()
    assert (report.characters, report.unit, report.configs) == (3, "frames", ("frames",))
    assert report.rows == len(list(copy.glob("*/color/*.png")))
    checks = ["files", "images", "layout", "licences", "splits", "sums"]
    assert sorted(check.name for check in report.checks) == checks
    assert len(report.notes) == 1 and "licence" in report.notes[0]
    (copy / PICTURE).write_bytes(b"damage")
    (copy / "b-walk-00/mask/0000.png").unlink()
    assert verify(str(copy), workers=2) == verify(str(copy))


def test_changed_missing_and_foreign_files(copy: Path) -> None:
    (copy / PICTURE).write_bytes((copy / PICTURE).read_bytes() + b"more")
    (copy / "b-walk-00/mask/0000.png").unlink()
    (copy / "mine").mkdir()
    (copy / "mine/note.txt").write_text("mine")
    report = verify(str(copy))
    assert found(report) == [("files", "b-walk-00/mask/0000.png"), ("sums", PICTURE), ("images", PICTURE)]
    assert "mine/note.txt" in report.notes[0]


def test_escaping_links_and_pipes(copy: Path, tmp_path: Path) -> None:
    (copy / PICTURE).rename(tmp_path / "elsewhere.png")
    (copy / PICTURE).symlink_to(tmp_path / "elsewhere.png")
    (copy / "README.md").unlink()
    os.mkfifo(copy / "README.md")
    assert {where for check, where in found(verify(str(copy))) if check == "files"} == {PICTURE, "README.md"}


@pytest.mark.parametrize(
    ("change", "check", "where"),
    [
        (lambda part: part.update(split="train"), "splits", "a"),
        (lambda part: part.update(license="MIT"), "licences", "a"),
        (lambda part: part["facts"].update(frames=9), "layout", "a-sway-00"),
        (lambda part: part.update(split="all"), "files", "parts.jsonl"),
        (lambda part: part["facts"].update(left_out="2"), "files", "parts.jsonl"),
        (lambda part: part["files"].pop(PICTURE), "layout", "a-sway-00"),
    ],
)
def test_parts_that_disagree(
    copy: Path, change: Callable[[dict[str, Any]], object], check: str, where: str
) -> None:
    change_parts(copy, change)
    assert (check, where) in found(verify(str(copy)))


def test_incomplete_or_missing_sums(copy: Path) -> None:
    sums = (copy / "SHA256SUMS").read_text().splitlines(keepends=True)
    for missing, where in ((PICTURE, "SHA256SUMS"), ("README", "README.md")):
        (copy / "SHA256SUMS").write_text("".join(line for line in sums if missing not in line))
        assert found(verify(str(copy))) == [("sums", where)]
    (copy / "SHA256SUMS").unlink()
    (copy / "parts.jsonl").write_text("")
    assert {("files", "SHA256SUMS"), ("files", "parts.jsonl")} <= set(found(verify(str(copy))))


@pytest.mark.parametrize("other", [{"layout": "theirs"}, {"version": 99}])
def test_missing_layout_is_noted(copy: Path, other: dict[str, Any]) -> None:
    record = json.loads((copy / "specsia.json").read_text())
    (copy / "specsia.json").write_text(json.dumps({**record, **other}))
    sign(copy)
    report = verify(str(copy))
    assert report.ok and len(report.notes) == 2
    assert "layout" not in {check.name for check in report.checks}
    (copy / PICTURE).write_bytes(b"damage")
    assert not verify(str(copy)).ok


def test_exception_of_a_layout_costs_its_part(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Frames, folder: Path, part: Written) -> Iterator[str]:
        yield "one thing"
        raise KeyError("oops")

    monkeypatch.setattr(Frames, "check_part", fails)
    told = [problem.message for problem in verify(str(copy)).problems if problem.where == "a-sway-00"]
    assert told[0] == "one thing" and "KeyError" in told[1]


def test_command_verifies_a_folder(frames_run: Path) -> None:
    ran = specsia("verify", frames_run / "frames", "--workers", "1", "--json")
    assert json.loads(ran.stdout)["ok"] is True
    with pytest.raises(SpecsiaError, match=f"did you mean {frames_run / 'frames'}"):
        verify(str(frames_run))


def test_frames_that_do_not_fit(frames_run: Path, tmp_path: Path) -> None:
    """One loses some alpha, one is of another size, one is grey."""
    (part,) = (part for part in read_parts(frames_run / "frames/parts.jsonl") if part.key == CLIP)
    folder = Path(shutil.copytree(frames_run / "frames" / CLIP, tmp_path / CLIP))
    assert list(Frames().check_part(tmp_path, part)) == []
    lost = png.decode((folder / "color/0001.png").read_bytes(), 4).copy()
    lost[SIZE // 2, SIZE // 2, 3] -= 1
    for name, spoilt, where in (
        ("color/0001.png", png.encode(lost), "in frame 0001.png"),
        ("pos/0000.png", png.encode(np.zeros((SIZE, SIZE // 2, 4), np.uint8)), "/pos/0000.png"),
        ("color/0000.png", (folder / "mask/0000.png").read_bytes(), "/color/0000.png"),
    ):
        sound = (folder / name).read_bytes()
        (folder / name).write_bytes(spoilt)
        (problem,) = Frames().check_part(tmp_path, part)
        assert problem.startswith(CLIP) and where in problem
        (folder / name).write_bytes(sound)


REPO = "tester/frames"


@pytest.fixture
def folder(frames_run: Path, tmp_path: Path) -> Path:
    """With a file of somebody's."""
    shutil.copytree(frames_run / "frames", tmp_path / "frames")
    (tmp_path / "frames/notes.txt").write_text("mine")
    return tmp_path / "frames"


def push(folder: Path, *more: str, code: int = 0) -> Result:
    return specsia("push", folder, "--repo", REPO, *more, code=code)


def test_only_listed_files_are_pushed(server: HubServer, folder: Path) -> None:
    push(folder)
    listed = [line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    remote = server.repo(REPO).files("main")
    assert remote.keys() - {".gitattributes"} == {*listed, "SHA256SUMS"}
    received = server.received
    again = push(folder)
    assert "nothing to push" in again.stdout
    assert server.received == received


def test_unknown_licence_stays_private(server: HubServer, folder: Path) -> None:
    push(folder, "--public", code=1)
    text = (folder / "parts.jsonl").read_text().replace('"license":null', '"license":"CC-BY-ND-4.0"')
    (folder / "parts.jsonl").write_text(text)
    change_parts(folder, lambda part: part.update(license="MIT"))
    push(folder, "--public", code=1)
    assert not server.repos


def test_too_many_files_for_a_hub(server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MOST_FILES", "MOST_ENTRIES"):
        with monkeypatch.context() as patch:
            patch.setattr(hub, name, 1)
            push(folder, code=1)
    assert not server.repos


KILLED = 9


def _run_until(out: Path, config: BuildConfig, renames: int) -> int:
    """Exit code of a process that dies without a word when it has put so many files in their place."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    usual, left = Path.replace, [renames]

    def replace(path: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            os._exit(KILLED)
        return usual(path, target)

    setattr(Path, "replace", replace)  # noqa: B010  it is a method
    try:
        run_clips(out, config)
    finally:
        os._exit(0)


@pytest.mark.parametrize("renames", [12, 75])
def test_killed_run_gives_same_bytes(
    config: BuildConfig, frames_run: Path, tmp_path: Path, renames: int
) -> None:
    """The next run goes on with the parts that were written."""
    run = Path(shutil.copytree(frames_run, tmp_path / "run"))
    shutil.rmtree(run / "frames")
    assert _run_until(run, config, renames) == KILLED
    assert not (run / "frames").exists()
    records = [json.loads(path.read_bytes()) for path in run.glob(".frames.partial/.parts/*.json")]
    files = [name for record in records for name in record["files"]]
    collected = [(run / ".frames.partial" / name).stat().st_ino for name in files]
    assert bool(collected) == (renames > 12)
    run_clips(run, config)
    assert [(run / "frames" / name).stat().st_ino for name in files] == collected
    assert file_sums(run / "frames") == file_sums(frames_run / "frames")
    assert verify(str(run / "frames")).ok
    assert [path.name for path in run.iterdir() if path.name.startswith(".")] == []
