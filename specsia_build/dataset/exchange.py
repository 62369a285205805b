"""Replace a packed dataset by a finished one, in a local folder or behind an fsspec URL.

Only files that `SHA256SUMS` of the old dataset lists are replaced or removed; other files stay.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from specsia_build.dataset.checksums import own_names, parse_sums
from specsia_build.dataset.places import Place, filesystem_of, sizes_below
from specsia_build.dataset.schema import SUMS_FILE
from specsia_build.errors import SpecsiaError, UsageError, some
from specsia_build.files.records import remembered_json
from specsia_build.files.writing import write_bytes
from specsia_build.folders import listed_below, remove_empty


def listed_names(folder: Path) -> set[str]:
    """Names of the files that a dataset's `SHA256SUMS` lists, and its own; none without that file."""
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
    if not folder.exists():
        aside.replace(folder)
        return
    for name in remove(aside):
        old, new = aside / name, folder / name
        if not os.path.lexists(new):
            new.parent.mkdir(parents=True, exist_ok=True)
            old.replace(new)
        elif old.is_symlink() or not old.is_dir():
            old.unlink()
    remove_empty(aside)


def put(finished: Path, folder: Path) -> list[str]:
    """Replace a dataset by a finished one in the same parent folder; returns names of other files, which stay.

    A kill leaves one of the two whole: the old one is renamed first, and `recover` brings it back.
    """
    recover(folder)
    if not folder.exists():
        finished.replace(folder)
        return []
    own = listed_names(folder)
    # A folder of the dataset counts as its own when its files are gone.
    own |= {str(parent) for name in own for parent in Path(name).parents if (folder / parent).is_dir()}
    own -= {name for name in own if (folder / name).is_symlink() and (folder / name).is_dir()}
    foreign = [name for name in listed_below(folder) if name not in own]
    taken = [
        name
        for name in foreign
        if os.path.lexists(finished / name) or any((finished / parent).is_file() for parent in Path(name).parents)
    ]
    if taken:
        raise SpecsiaError(
            f"{folder} holds {some(taken)}, which its {SUMS_FILE} does not list, so the dataset does not replace it: "
            "move that elsewhere and run the same command again"
        )
    folder.replace(folder.with_name(f".{folder.name}.replaced"))
    finished.replace(folder)
    recover(folder)
    return foreign


@dataclass(frozen=True)
class Uploaded:
    """Number and bytes of files sent, numbers of files copied there and kept, and names of others that stay there."""

    sent: int
    bytes: int
    copied: int
    kept: int
    spared: tuple[str, ...] = ()


def open_target(url: str) -> Place:
    """Find the folder of a URL to upload to, which need not exist."""
    if url.startswith("hf://"):
        raise UsageError(f"{url} is on the Hub: build into a folder, then send it there with `specsia push`")
    target = Place(url, None, *filesystem_of(url))
    with target.reading(""):
        target.fs.exists(target.root)
    return target


def upload(folder: Path, target: Place, journal: Path, advance: Callable[[int], None]) -> Uploaded:
    """Make the folder behind a URL hold a packed dataset; only files that an upload sent are replaced or removed.

    `SHA256SUMS` is removed before anything changes and sent last, so a dataset that has it is whole. A shard that was
    only renamed is copied there. Files of unknown content and the right size are read once and compared.

    Args:
        folder: folder of the dataset.
        target: from `open_target`.
        journal: local file that remembers what was sent, with which an interrupted upload continues.
        advance: called with the number of files that are done.
    """
    with target.reading(""):
        return _upload(folder, target, journal, advance)


def _upload(folder: Path, target: Place, journal: Path, advance: Callable[[int], None]) -> Uploaded:
    fs, root = target.fs, target.root
    text = (folder / SUMS_FILE).read_bytes()
    wanted, _ = parse_sums(text.decode("utf-8"))
    # SHA-256 and the store's own mark (such as an ETag) of each file, as stores do not give the SHA-256.
    record = remembered_json(journal)
    sent = record["files"] if isinstance(record, dict) and record.get("url") == target.where else {}

    def remember(name: str, digest: str) -> None:
        sent[name] = [digest, str(fs.checksum(f"{root}/{name}"))]
        write_bytes(journal, json.dumps({"url": target.where, "files": sent}).encode())

    fs.invalidate_cache()
    sizes = sizes_below(fs, root) if fs.exists(root) else {}
    sums = fs.cat_file(f"{root}/{SUMS_FILE}") if sizes.pop(SUMS_FILE, 0) else b""
    ours = sent.keys() | own_names(sums.decode("utf-8", errors="replace"))
    remote: dict[str, str | None] = {}
    for name, size in sizes.items():
        digest, mark = sent.get(name, (None, ""))
        remote[name] = digest if digest and mark == str(fs.checksum(f"{root}/{name}")) else None
        if remote[name] is None and name in wanted and size == (folder / name).stat().st_size:
            with fs.open(f"{root}/{name}", "rb") as stream:
                remote[name] = digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if name in ours:
                remember(name, digest)
    surplus = [name for name in remote if name in ours and name not in wanted]
    spared = tuple(name for name in remote if name not in ours and name not in wanted)
    changed = [name for name, digest in wanted.items() if remote.get(name) != digest]
    if taken := [name for name in changed if name in remote and name not in ours]:
        raise UsageError(
            f"{target.where}/{taken[0]} already exists and was not sent by a build, so it is not replaced: move it, or "
            "give another --out"
        )
    kept = len(wanted) - len(changed)
    advance(kept)
    if sums == text and not changed and not surplus:
        return Uploaded(0, 0, 0, kept, spared)
    if sums:
        fs.rm_file(f"{root}/{SUMS_FILE}")
    sent_bytes = []
    for name in changed:
        twin = next((other for other, digest in remote.items() if digest == wanted[name]), None)
        if twin is None:
            fs.put_file(str(folder / name), f"{root}/{name}")
            sent_bytes.append((folder / name).stat().st_size)
        else:
            fs.cp_file(f"{root}/{twin}", f"{root}/{name}")
        remote[name] = wanted[name]
        remember(name, wanted[name])
        advance(1)
    for name in surplus:
        fs.rm_file(f"{root}/{name}")
    fs.pipe_file(f"{root}/{SUMS_FILE}", text)
    return Uploaded(len(sent_bytes), sum(sent_bytes), len(changed) - len(sent_bytes), kept, spared)
