"""Sending a packed dataset to an fsspec URL: what is there already is not sent again, and `SHA256SUMS` comes last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specsia_build.dataset import schema
from specsia_build.dataset.checksums import own_names, parse_sums
from specsia_build.dataset.places import files_below, filesystem_of, read_errors, sentence
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.files.records import read_json
from specsia_build.files.writing import write_bytes

UNFINISHED = f"{schema.SUMS_FILE}.partial"
"""Takes the place of `SHA256SUMS` while a dataset is being sent: it tells what was sent from what others put there."""

_OF_SENDING = frozenset({schema.SUMS_FILE, UNFINISHED})


@dataclass(frozen=True)
class Target:
    """A folder behind an fsspec URL: the URL, the filesystem, and the folder's path in it."""

    url: str
    fs: Any
    root: str

    def path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def token(self, name: str) -> str:
        """What changes whenever the file does (an ETag, say)."""
        return str(self.fs.checksum(self.path(name)))

    def digest(self, name: str) -> str:
        """SHA-256 of a file, which is read for it."""
        with self.fs.open(self.path(name), "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Turns what the filesystem raises into a sentence."""
        try:
            yield
        except read_errors() as error:
            raise SpecsiaError(f"{self.url} cannot be reached or written: {sentence(error)}") from error


@dataclass(frozen=True)
class Uploaded:
    """What an upload did.

    Attributes:
        sent, bytes: files that were sent.
        copied: files that were copied there from one name to another.
        kept: files that were there already.
        spared: names of files there that no upload sent, and that stay.
    """

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
    fs, root = filesystem_of(url)
    target = Target(url, fs, root)
    with target.reached():
        fs.exists(target.root)
    return target


def _files(target: Target) -> dict[str, int]:
    """Bytes by relative name of what is there."""
    target.fs.invalidate_cache()
    try:
        return {name: int(info["size"]) for name, info in files_below(target.fs, target.root).items()}
    except FileNotFoundError:
        return {}


class _Journal:
    """SHA-256 and token of what was sent, kept here because stores do not tell the SHA-256 of what they hold."""

    def __init__(self, path: Path, target: Target) -> None:
        self._path, self._target = path, target
        self.sent: dict[str, list[str]] = {}
        try:
            loaded = read_json(path)
            self.sent = dict(loaded["files"]) if loaded["url"] == target.url else {}
        except (OSError, SpecsiaError, ValueError, KeyError, TypeError):
            # Only a memory: without it files are sent again.
            self.sent = {}

    def note(self, name: str, digest: str) -> None:
        self.sent[name] = [digest, self._target.token(name)]
        write_bytes(self._path, json.dumps({"url": self._target.url, "files": self.sent}).encode())


def _there(
    target: Target, files: Mapping[str, int], folder: Path, journal: _Journal, made: Collection[str]
) -> dict[str, str]:
    """SHA-256 by name of the `files` behind the URL, as far as it is known; `made` are those that uploads sent.

    It is known of what was sent from here and has not changed since. Other files as large as here are read once: what a
    list there says of them, nobody may have seen to.
    """
    known = {
        name: digest for name, (digest, token) in journal.sent.items() if name in files and target.token(name) == token
    }
    for name, size in files.items():
        here = folder / name
        if name not in known and name not in _OF_SENDING and here.is_file() and here.stat().st_size == size:
            known[name] = target.digest(name)
            if name in made:
                journal.note(name, known[name])
    return {name: known.get(name, "") for name in files}


def _made(target: Target, files: Collection[str], journal: _Journal) -> set[str]:
    """Names of what earlier uploads sent, whether they came to their end or not."""
    made = set(journal.sent) | _OF_SENDING
    for name in _OF_SENDING & set(files):
        made |= own_names(target.fs.cat_file(target.path(name)).decode("utf-8", errors="replace"))
    return made


def upload(folder: Path, target: Target, journal: Path, advance: Callable[[int], None]) -> Uploaded:
    """Make the folder behind a URL hold a packed dataset; only what an upload sent there is replaced or removed.

    `SHA256SUMS` is removed there before anything changes and sent when all else is there, so a dataset that has it is
    whole. A shard that only changed its name is copied there.

    Args:
        folder: of the dataset.
        target: where it goes.
        journal: file that remembers what was sent, so that an upload that was stopped goes on.
        advance: told the number of files that are done.

    Raises:
        UsageError: if a file of another's stands where one of the dataset belongs.
        SpecsiaError: if it cannot be reached or written.
    """
    memory = _Journal(journal, target)
    text = (folder / schema.SUMS_FILE).read_bytes()
    wanted, _ = parse_sums(text.decode("utf-8"))
    sent = size = copied = 0
    with target.reached():
        files = _files(target)
        made = _made(target, files, memory)
        there = _there(target, files, folder, memory, made)
        surplus = [name for name in there if name in made and name not in wanted.keys() | _OF_SENDING]
        spared = tuple(name for name in there if name not in made and name not in wanted)
        changed = [name for name, digest in wanted.items() if there.get(name) != digest]
        taken = [name for name in changed if name in there and name not in made]
        if taken:
            raise UsageError(
                f"{target.url}/{taken[0]} is there and no build sent it, so it is not replaced: move it, or give "
                "another --out"
            )
        whole = schema.SUMS_FILE in there and target.fs.cat_file(target.path(schema.SUMS_FILE)) == text
        if whole and not changed and not surplus and UNFINISHED not in there:
            advance(len(wanted))
            return Uploaded(0, 0, 0, len(wanted), spared)
        sums = {name: wanted.get(name) or there.get(name) or "0" * 64 for name in (wanted.keys() | made) - _OF_SENDING}
        listed = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
        target.fs.pipe_file(target.path(UNFINISHED), listed.encode())
        if schema.SUMS_FILE in there:
            target.fs.rm_file(target.path(schema.SUMS_FILE))
        advance(len(wanted) - len(changed))
        for name in changed:
            digest = wanted[name]
            twin = next((other for other, found in there.items() if found == digest), None)
            if twin is not None:
                target.fs.cp_file(target.path(twin), target.path(name))
                copied += 1
            else:
                target.fs.put_file(str(folder / name), target.path(name))
                sent, size = sent + 1, size + (folder / name).stat().st_size
            there[name] = digest
            memory.note(name, digest)
            advance(1)
        for name in surplus:
            target.fs.rm_file(target.path(name))
        target.fs.pipe_file(target.path(schema.SUMS_FILE), text)
        target.fs.rm_file(target.path(UNFINISHED))
    return Uploaded(sent, size, copied, len(wanted) - len(changed), spared)
