"""Send a packed dataset to an fsspec URL: files that are there already are not sent again, `SHA256SUMS` comes last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specsia_build.dataset.checksums import own_names, parse_sums
from specsia_build.dataset.places import files_below, filesystem_of, read_errors, sentence
from specsia_build.dataset.schema import SUMS_FILE
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.files.records import remembered_json
from specsia_build.files.writing import write_bytes


@dataclass(frozen=True)
class Target:
    """A folder behind an fsspec URL: the URL, the filesystem, and the folder's path in it."""

    url: str
    fs: Any
    root: str

    def path(self, name: str) -> str:
        """Path of a file in the filesystem."""
        return f"{self.root}/{name}"

    def token(self, name: str) -> str:
        """A text that changes whenever the file does (an ETag, say)."""
        return str(self.fs.checksum(self.path(name)))

    def digest(self, name: str) -> str:
        """SHA-256 of a file, which is read for it."""
        with self.fs.open(self.path(name), "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def sizes(self) -> dict[str, int]:
        """Bytes by relative name of the files that are there."""
        self.fs.invalidate_cache()
        try:
            return {name: int(details["size"]) for name, details in files_below(self.fs, self.root).items()}
        except FileNotFoundError:
            return {}

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Raise errors of the filesystem as one sentence."""
        try:
            yield
        except read_errors() as error:
            raise SpecsiaError(f"{self.url} cannot be reached or written: {sentence(error)}") from error


@dataclass(frozen=True)
class Uploaded:
    """Files sent and their bytes, copied there, and kept, and names there that no upload sent, which stay."""

    sent: int
    bytes: int
    copied: int
    kept: int
    spared: tuple[str, ...] = ()


def open_target(url: str) -> Target:
    """The folder that a URL names; it need not be there.

    Raises:
        UsageError: if there is no such way to reach one.
        SpecsiaError: if it cannot be reached.
    """
    if url.startswith("hf://"):
        raise UsageError(f"{url} is on the Hub: build into a folder, then send it there with `specsia push`")
    target = Target(url, *filesystem_of(url))
    with target.reached():
        target.fs.exists(target.root)
    return target


class _Journal:
    """SHA-256 and token of each file that was sent, kept here because stores do not tell the SHA-256 of their files."""

    def __init__(self, path: Path, target: Target) -> None:
        self._path, self._target = path, target
        remembered = remembered_json(path)
        same = isinstance(remembered, dict) and remembered.get("url") == target.url
        self.sent: dict[str, list[str]] = remembered["files"] if same else {}

    def note(self, name: str, digest: str) -> None:
        self.sent[name] = [digest, self._target.token(name)]
        write_bytes(self._path, json.dumps({"url": self._target.url, "files": self.sent}).encode())

    def digest(self, name: str) -> str | None:
        """SHA-256 of a file that was sent and has not changed there since."""
        digest, token = self.sent.get(name, (None, ""))
        return digest if digest is not None and self._target.token(name) == token else None


def upload(folder: Path, target: Target, journal: Path, advance: Callable[[int], None]) -> Uploaded:
    """Make the folder behind a URL hold a packed dataset; only what an upload sent there is replaced or removed.

    `SHA256SUMS` is removed there before anything changes and sent at the end, so a dataset that has it is whole. A
    shard that only changed its name is copied there. Files of unknown content, as large as here, are read once: the
    list there is not trusted.

    Args:
        folder: of the dataset.
        target: where it goes.
        journal: file that remembers what was sent, so that an upload that was stopped goes on.
        advance: called with the number of files that are done.

    Raises:
        UsageError: if a file that no upload sent has the name of one of the dataset's.
        SpecsiaError: if it cannot be reached or written.
    """
    memory = _Journal(journal, target)
    text = (folder / SUMS_FILE).read_bytes()
    wanted, _ = parse_sums(text.decode("utf-8"))
    with target.reached():
        sizes = target.sizes()
        listed = target.fs.cat_file(target.path(SUMS_FILE)) if SUMS_FILE in sizes else b""
        made = memory.sent.keys() | own_names(listed.decode("utf-8", errors="replace"))
        there = {name: memory.digest(name) for name in sizes if name != SUMS_FILE}
        for name in (name for name, digest in there.items() if digest is None and name in wanted):
            if sizes[name] == (folder / name).stat().st_size:
                there[name] = target.digest(name)
                if name in made:
                    memory.note(name, there[name] or "")
        surplus = [name for name in there if name in made and name not in wanted]
        spared = tuple(name for name in there if name not in made and name not in wanted)
        changed = [name for name, digest in wanted.items() if there.get(name) != digest]
        if taken := [name for name in changed if name in there and name not in made]:
            raise UsageError(
                f"{target.url}/{taken[0]} is there and no build sent it, so it is not replaced: move it, or give "
                "another --out"
            )
        kept = len(wanted) - len(changed)
        advance(kept)
        if listed == text and not changed and not surplus:
            return Uploaded(0, 0, 0, kept, spared)
        if listed:
            target.fs.rm_file(target.path(SUMS_FILE))
        sent = []
        for name in changed:
            twin = next((other for other, digest in there.items() if digest == wanted[name]), None)
            if twin is not None:
                target.fs.cp_file(target.path(twin), target.path(name))
            else:
                target.fs.put_file(str(folder / name), target.path(name))
                sent.append((folder / name).stat().st_size)
            there[name] = wanted[name]
            memory.note(name, wanted[name])
            advance(1)
        for name in surplus:
            target.fs.rm_file(target.path(name))
        target.fs.pipe_file(target.path(SUMS_FILE), text)
    return Uploaded(len(sent), sum(sent), len(changed) - len(sent), kept, spared)
