"""Replace a packed dataset by a finished one, in a folder or behind an fsspec URL.

Only files that `SHA256SUMS` of the old dataset lists are replaced or removed. A folder that holds others is refused.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from specsia_build.dataset.checksums import own_names, parse_sums
from specsia_build.dataset.places import Place, place_of_url
from specsia_build.dataset.schema import SUMS_FILE
from specsia_build.errors import SpecsiaError, UsageError, some
from specsia_build.files.names import DESKTOP
from specsia_build.folders import listed_below, remove_empty

PARTIAL = f"{SUMS_FILE}.partial"
"""List of a dataset's files behind a URL while they are being sent."""


def listed_names(folder: Path) -> set[str]:
    """Names that a dataset's `SHA256SUMS` lists, and its own; empty without that file."""
    try:
        sums, _ = parse_sums((folder / SUMS_FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return set()
    return {SUMS_FILE, *sums}


def remove(folder: Path) -> list[str]:
    """Remove a dataset; returns the names of other files in its folder, which stay."""
    # The list is removed last, so that a removal that was killed can be repeated.
    for name in sorted(listed_names(folder), key=lambda name: name == SUMS_FILE):
        if not (folder / name).is_dir():
            (folder / name).unlink(missing_ok=True)
    remove_empty(folder)
    return listed_below(folder)


def recover(folder: Path) -> None:
    """Finish a `put` that was killed, or undo it if the new dataset is not in place."""
    aside = folder.with_name(f".{folder.name}.replaced")
    if not aside.is_dir():
        return
    if folder.exists():
        shutil.rmtree(aside)
    else:
        aside.replace(folder)


def refuse_other_files(folder: Path) -> None:
    """Raise SpecsiaError if a dataset's folder holds files that its `SHA256SUMS` does not list."""
    listed = listed_names(folder)
    unlisted = [name for name in listed_below(folder) if name not in listed and Path(name).name not in DESKTOP]
    others = [name for name in unlisted if (folder / name).is_symlink() or not (folder / name).is_dir()]
    if others:
        raise SpecsiaError(
            f"{folder} holds {some(others)}, which its {SUMS_FILE} does not list, so the dataset is not replaced: move "
            "that elsewhere and run the same command again"
        )


def put(finished: Path, folder: Path) -> None:
    """Replace a dataset by a finished one in the same parent folder.

    A kill leaves one of the two whole: the old one is renamed first, and `recover` brings it back.
    """
    if folder.exists():
        refuse_other_files(folder)
        folder.replace(folder.with_name(f".{folder.name}.replaced"))
    finished.replace(folder)
    recover(folder)


def open_target(url: str) -> Place:
    """Find the folder of a URL to upload to, which need not exist."""
    if url.startswith("hf://"):
        raise UsageError(f"{url} is on the Hub: build into a folder, then send it there with `specsia push`")
    target = place_of_url(url)
    with target.reading(""):
        target.fs.exists(target.root)
    return target


def upload(folder: Path, url: str, advance: Callable[[int], None]) -> int:
    """Make the folder behind a URL hold a packed dataset: send files that differ, remove those that it no longer lists.

    `SHA256SUMS` is there only while the dataset is whole; meanwhile it has the name `PARTIAL`, so that an upload that
    was interrupted is recognised and done again. `advance` is called with numbers of files. Returns the number of files
    sent. Raises UsageError if a file that no upload sent would be replaced.
    """
    target = open_target(url)
    fs, root, text = target.fs, target.root, (folder / SUMS_FILE).read_bytes()
    sums, _ = parse_sums(text.decode("utf-8"))

    def listed(name: str) -> str:
        return str(fs.cat_file(f"{root}/{name}").decode("utf-8", errors="replace")) if name in there else ""

    with target.reading("", "written"):
        fs.invalidate_cache()
        there = target.files().keys()
        before, partial = listed(SUMS_FILE), listed(PARTIAL)
        sums_there, _ = parse_sums(before)
        ours = own_names(before) | own_names(partial) | {PARTIAL}
        changed = [name for name, digest in sums.items() if name not in there or sums_there.get(name) != digest]
        if conflicts := [name for name in (*changed, SUMS_FILE) if name in there - ours]:
            raise UsageError(
                f"{url}/{conflicts[0]} already exists and was not sent by a build, so it is not replaced: move it, or "
                "give another --out"
            )
        surplus = (there & ours) - sums.keys() - {SUMS_FILE, PARTIAL}
        advance(len(sums) - len(changed))
        if before and not (changed or surplus or partial):
            return 0
        # Files that an upload sent, including those that this one sends before it may be interrupted.
        known = {**sums_there, **parse_sums(partial)[0], **sums}
        fs.pipe_file(f"{root}/{PARTIAL}", "".join(f"{digest}  {name}\n" for name, digest in known.items()).encode())
        if before:
            fs.rm_file(f"{root}/{SUMS_FILE}")
        for name in changed:
            fs.put_file(str(folder / name), f"{root}/{name}")
            advance(1)
        for name in surplus:
            fs.rm_file(f"{root}/{name}")
        fs.pipe_file(f"{root}/{SUMS_FILE}", text)
        fs.rm_file(f"{root}/{PARTIAL}")
    return len(changed)
