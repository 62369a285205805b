"""Write a layout's folder whole: its parts, by any processes, and then the files about all of them.

Parts are collected in a folder beside the target, which takes its place once everything is there. A part that
has not changed is linked from the old folder, and a run that was killed goes on with the parts that it has.
"""

import io
import json
import shutil
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from specsia_build.dataset import places, splits
from specsia_build.dataset.checksums import parse_sums
from specsia_build.dataset.schema import CARD, PARTS_FILE, SUMS_FILE
from specsia_build.errors import SpecsiaError, WriteError
from specsia_build.files.digests import canonical_json, file_digest, sha256
from specsia_build.files.records import parse_json
from specsia_build.files.writing import replacing, sync, write_bytes, writing
from specsia_build.folders import remove_empty
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.part import Facts, Part, Written, part_of
from specsia_build.layouts.writing import (
    RECORDS,
    NotWritten,
    PartDone,
    PartTask,
    collected_part,
    record_line,
    write_part,
)
from specsia_build.pool import results


@dataclass(frozen=True)
class PackTarget:
    """A folder of a layout."""

    layout: Layout
    folder: Path  # Where it lies
    # File with the records of its parts, which a later run compares with its own; None for a folder that is
    # written once
    state: Path | None = None


class Packed(NamedTuple):
    """Numbers of parts written and kept, and those that were not written, by key."""

    written: int
    kept: int
    missed: Mapping[str, NotWritten]


RunTasks = Callable[[Sequence[PartTask]], Generator[tuple[int, PartDone], None, None]]
"""Writes parts and yields the number and result of each, in any order; writes nothing after it is closed."""


def folder_fingerprint(layout: Layout, parts: Sequence[tuple[Part, str]], facts: Facts) -> str:
    """SHA-256 of all that decides a folder: its parts with their fingerprints, and the facts about them."""
    listed = [[part.key, fingerprint] for part, fingerprint in parts]
    counts = [facts.source, facts.planned, dict(facts.quarantined), facts.backend]
    decides = [layout.name, layout.version, facts.build, *counts, splits.to_json(facts.splits), listed]
    return sha256(canonical_json(decides).encode())


def is_current(target: PackTarget, digest: str) -> Mapping[str, NotWritten] | None:
    """The parts that were left out of a folder that is as planned and looks whole; None if it is not."""
    places.recover(target.folder)
    header = _header(target.state)
    if header.get("digest") != digest or not _looks_whole(target.folder, target.state):
        return None
    return {key: NotWritten(*reason) for key, reason in header["missed"].items()}


def _header(state: Path | None) -> Mapping[str, Any]:
    """What a state says of the folder; empty without one."""
    try:
        with state.open("rb") if state is not None else io.BytesIO() as stream:
            header = parse_json(stream.readline(), "a state")
    except (OSError, SpecsiaError):
        return {}
    return header if isinstance(header, dict) else {}


def _looks_whole(folder: Path, state: Path | None) -> bool:
    """Whether parts have their sizes, and files about them their content; people may edit the card."""
    try:
        own, unusable = parse_sums((folder / SUMS_FILE).read_text(encoding="utf-8"))
        for part, _ in records(state):
            for name, (size, digest) in part.files.items():
                if own.pop(name, None) != digest or (folder / name).stat().st_size != size:
                    return False
        card_size = (folder / CARD).stat().st_size
    except (OSError, SpecsiaError, UnicodeDecodeError):
        return False
    changed = (name for name, digest in own.items() if name != CARD and file_digest(folder / name) != digest)
    return not unusable and card_size > 0 and next(changed, None) is None


def records(state: Path | None) -> Iterator[tuple[Written, int]]:
    """Records of the parts of a finished folder, and where each begins in the state."""
    if state is None or not state.is_file():
        return
    with state.open("rb") as stream:
        stream.readline()
        start = stream.tell()
        for line in iter(stream.readline, b""):
            yield part_of(parse_json(line, state.name), state.name), start
            start = stream.tell()


def pack(target: PackTarget, parts: Sequence[tuple[Part, str]], run: RunTasks, facts: Facts) -> Packed:
    """Write a target's folder from parts with fingerprints, replacing an earlier one once all is written.

    Where no part can be written the earlier one stays. Raises WriteError if it cannot be written, and
    SpecsiaError as `run` does, if the folder holds other files, or if a layout of views cannot write a part.
    """
    # If the folder is a link, its replacement must lie beside the link's target.
    target = replace(target, folder=target.folder.resolve())
    folder = target.folder
    collected = folder.with_name(f".{folder.name}.partial")
    with writing(folder):
        places.recover(folder)
        places.refuse_other_files(folder)
        try:
            _keep_only(collected, {(part.key, fingerprint) for part, fingerprint in parts})
            (collected / RECORDS).mkdir(parents=True, exist_ok=True)
            starts = _starts(target.state)
            tasks = [_task(target, collected, part, starts) for part in parts]
            packed = _run(target.layout, tasks, run)
            if packed.written or packed.kept:
                _finish(target, collected, packed, facts, folder_fingerprint(target.layout, parts, facts))
            else:
                shutil.rmtree(collected)
        except SpecsiaError as error:
            # A full disk must not stay full, and a folder that is written once has no next run.
            if isinstance(error, WriteError) or target.state is None:
                shutil.rmtree(collected, ignore_errors=True)
            raise
    return packed


def _starts(state: Path | None) -> dict[str, int]:
    """Where the record of each part of a finished folder begins, by fingerprint."""
    try:
        return {part.fingerprint: start for part, start in records(state)}
    except SpecsiaError:
        return {}


def _keep_only(collected: Path, parts: Collection[tuple[str, str]]) -> None:
    """Remove what an earlier run collected, apart from whole parts with these keys and fingerprints."""
    own = set()
    for record in (collected / RECORDS).glob("*"):
        part = collected_part(record)
        if part is not None and (part.key, part.fingerprint) in parts:
            own |= {record, *(collected / name for name in part.files)}
    for path in sorted(collected.rglob("*"), reverse=True):
        if path not in own and (path.is_symlink() or not path.is_dir()):
            path.unlink()
    remove_empty(collected)


def _task(target: PackTarget, collected: Path, part: tuple[Part, str], starts: Mapping[str, int]) -> PartTask:
    start, state = starts.get(part[1]), target.state
    old = None if start is None or state is None else (target.folder, state, start)
    return PartTask(target.layout.name, *part, collected, old)


def _run(layout: Layout, tasks: Sequence[PartTask], run: RunTasks) -> Packed:
    kept, missed = 0, dict[str, NotWritten]()
    # Closed before anything else happens to the folder, so that no worker still writes there.
    with closing(run(tasks)) as results:
        for number, done in results:
            kept += done.kept
            if done.missed is not None:
                missed[tasks[number].part.key] = done.missed
    if missed and layout.unit == "view":
        key, problem = next(iter(missed.items()))
        raise SpecsiaError(f"{key} was not packed: {problem.reason}")
    return Packed(len(tasks) - kept - len(missed), kept, missed)


def _finish(target: PackTarget, collected: Path, packed: Packed, facts: Facts, digest: str) -> None:
    """Write the files about all parts, put the folder in place, and note the records for the next run."""

    def read(record: Path) -> Written:
        return part_of(parse_json(record.read_bytes(), record.name), record.name)

    records = sorted((collected / RECORDS).iterdir(), key=lambda record: read(record).key)

    def parts() -> Iterator[Written]:
        """Read the records anew each time, as there may be many."""
        return map(read, records)

    has_faults = any(reason.suits for reason in packed.missed.values())
    header = {"digest": "" if has_faults else digest, "missed": packed.missed}
    sums = {name: file[1] for part in parts() for name, file in part.files.items()}
    # The state is put in place last: it never describes a folder that is not there.
    with nullcontext() if target.state is None else replacing(target.state) as state:
        if state is not None:
            with state.open("wb") as lines:
                lines.write((json.dumps(header, ensure_ascii=False) + "\n").encode())
                lines.writelines(map(record_line, parts()))
        facts = replace(facts, left_out=len(packed.missed))
        for name, data in target.layout.finish(collected, parts, facts):
            write_bytes(collected / name, data)
            sums[name] = sha256(data)
        if target.layout.unit != "view":
            # Without fingerprints, which only the run can use.
            with (collected / PARTS_FILE).open("wb") as lines:
                lines.writelines(record_line(part, ("fingerprint",)) for part in parts())
            sums[PARTS_FILE] = file_digest(collected / PARTS_FILE) or ""
        shutil.rmtree(collected / RECORDS)
        listed = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
        (collected / SUMS_FILE).write_text(listed, encoding="utf-8")
        sync(collected)
        places.put(collected, target.folder)


def in_processes(workers: int, advance: Callable[[int], None]) -> RunTasks:
    """Return a function that writes parts in so many processes and calls `advance` for each part."""

    def write(tasks: Sequence[PartTask]) -> Generator[tuple[int, PartDone], None, None]:
        with closing(results((partial(write_part, task) for task in tasks), workers)) as done:
            for number, result in enumerate(done):
                advance(1)
                yield number, result

    return write
