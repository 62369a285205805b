"""Export layouts of views: characters of a source, or of a run, drawn anew by a rig of cameras."""

from __future__ import annotations

import math
import platform
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from specsia_build import __version__
from specsia_build.cameras.rigs import CameraRig, parse_rig
from specsia_build.characters.character import Entry
from specsia_build.characters.read import READING, read_character
from specsia_build.config import BuildConfig
from specsia_build.errors import CharacterError, SpecsiaError, UsageError, plural
from specsia_build.files.digests import canonical_json, sha256
from specsia_build.files.sources import source_digest
from specsia_build.folders import expanded
from specsia_build.frame import normalise
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.packing import RunTasks, records
from specsia_build.layouts.part import Facts, Member, Part, Written
from specsia_build.layouts.views.layout import Drawable, ViewLayout
from specsia_build.layouts.writing import NotWritten, PartDone, PartTask, write_part
from specsia_build.memory import memory_bytes
from specsia_build.pipeline.folder import settings_before
from specsia_build.pipeline.run import RunPaths, existing_run
from specsia_build.pipeline.selection import Characters, find_characters
from specsia_build.pool import Lost, Pool
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import compacted
from specsia_build.stages.clips.actor import (
    actor_of,
    check_settings,
    in_motion,
    is_file_name,
    origin_of,
    with_motion,
)
from specsia_build.stages.pack import BYTES_PACKAGES
from specsia_build.stages.render import entry_settings
from specsia_build.stages.stage import Job, sources_of
from specsia_build.warning import coded

Planned = list[tuple[Part, str]]  # Parts with their fingerprints


class ViewOptions(NamedTuple):
    """What the user states of views; None for the layout's own value."""

    cameras: str | None = None  # A rig, see `cameras.rigs`
    size: int | None = None  # Width of pictures in pixels
    layers: tuple[str, ...] = ()  # Names of `LAYER_SUFFIXES`
    motion: str | None = None  # Name of a motion, or a file with some
    seed: int | None = None  # Of random cameras and light; None for that of the run, or of builds
    limit: int | None = None  # Number of characters
    strict: bool = False  # Refuse a list that leaves the trainer nothing


PARTS_STATE = "parts.jsonl"  # Records of the parts, in the folder that `work_beside` names


def work_beside(out: Path) -> Path:
    """Folder for what a second run of an export needs, hidden beside the exported one."""
    return out.absolute().with_name(f".{out.absolute().name}.export")


@dataclass(frozen=True)
class Draw:
    """Reads a character to be drawn, in any process."""

    entry: Entry
    rig: CameraRig
    size: int
    seed: int
    motion: str | None = None

    def __call__(self, member: Member) -> Drawable:
        entry, moved = self.entry, None
        if self.motion is None:
            character = read_character(entry)
            files, warnings = character.files, character.warnings
            mesh = compacted(character.mesh)
            mesh = mesh.with_vertices(normalise(mesh.vertices, (), 0).apply(mesh.vertices))
        else:
            actor = actor_of(Job(entry, with_motion(self.motion)))
            mesh, moved = in_motion(actor, entry.id, origin_of(self.motion))
            files, warnings = actor.files, actor.warnings
        sources = sources_of(entry)
        digests = sources.digests(map(sources.name, files), source_digest)
        meta: dict[str, Any] = {"id": entry.id, "character": entry.id, "sources": dict(digests)}
        meta |= {"license": entry.license, "source": entry.source, "size": self.size, "seed": self.seed}
        meta["warnings"] = coded(warnings)
        return Drawable(meta, {}, mesh=mesh, rig=self.rig, moved=moved)


def plan(
    where: str, layout: ViewLayout, options: ViewOptions, work: Path, from_run: bool
) -> tuple[ViewLayout, Planned, Facts, Sequence[str]]:
    """The layout with its rig, its parts with fingerprints, the facts about all, and sentences on the source.

    Raises UsageError if the layout cannot be written so.
    """
    if options.layers and not layout.more_layers:
        raise UsageError(f"{layout.name} cannot hold further layers: leave out --layers")
    if options.motion is not None and not layout.moving:
        raise UsageError(f"{layout.name} shows characters at rest: leave out --motion")
    rig = parse_rig(options.cameras or layout.rig)
    if rig.sized and options.size is not None:
        raise UsageError(f"{rig.name} states the sizes of its pictures: leave out --size")
    layout = layout.with_rig(rig)
    characters, seed = _characters(where, options, work, from_run)
    size = rig.cameras(options.size or layout.defaults["size"])[0].size
    public = Path(rig.name).name if rig.sized else rig.name
    config = {"source": characters.source, "layout": layout.name, "cameras": public, "size": size}
    config |= {"layers": list(options.layers), "seed": seed}
    if options.motion is not None:
        config["motion"] = origin_of(options.motion)
        check_settings(with_motion(options.motion))
    # A file's cameras are known by their values.
    views = [[*c.c2w().tolist(), c.size, c.height, c.width, c.fov_deg] for c in rig.fixed]
    own = {**config, "cameras": views or rig.name, "versions": [READING, FastRenderer().version]}
    del own["source"]
    if options.motion is not None and is_file_name(options.motion):
        own["motion"] = source_digest(Path(options.motion), Path(options.motion).parent)
    try:
        before = {part.key: part for part, _ in records(work / PARTS_STATE)}
    except SpecsiaError:
        before = {}
    parts: Planned = []
    for entry in characters.entries:
        member = _member(entry, own, len(rig.names))
        changed = _changed(entry, before.get(entry.id))
        part_options = {"cameras": public, "layers": list(options.layers), **changed}
        if options.motion is not None:
            part_options["motion"] = own["motion"]
        split = characters.splits[entry.id]
        part = Part(entry.id, split, (member,), part_options, Draw(entry, rig, size, seed, options.motion))
        parts.append((part, layout.fingerprint(part)))
    short_list(layout, [part.split for part, _ in parts], options.strict)
    build = {
        "specsia": __version__,
        "config": config,
        "stages": {"read": READING, "draw": FastRenderer().version},
        "packages": {name: version(name) for name in (*BYTES_PACKAGES, "OpenEXR")},
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    members = [part.members[0] for part, _ in parts]
    facts = Facts(build, characters.source, len(parts), {}, characters.splits, members)
    return layout, sorted(parts, key=lambda part: part[0].key), facts, characters.notes


def _characters(where: str, options: ViewOptions, work: Path, from_run: bool) -> tuple[Characters, int]:
    """The characters of a source or of a run, and the seed."""
    if from_run:
        config, paths = existing_run(where)
        config = replace(config, limit=options.limit or config.limit)
        before = settings_before(paths)
    else:
        source = where if where.startswith("sample:") else str(expanded(where).absolute())
        config = BuildConfig(source=source, limit=options.limit)
        paths, before = RunPaths(work), None
    seed = config.seed if options.seed is None else options.seed
    return find_characters(config, paths, before), seed


def _member(entry: Entry, settings: Mapping[str, Any], views: int) -> Member:
    """Summary of a character, whose digest is over the files that its entry states, and the settings."""
    decides = [sources_of(entry).digests((), source_digest), entry_settings(entry), settings]
    return Member(
        id=entry.id,
        character=entry.id,
        backend=None,
        rows=views,
        digest=sha256(canonical_json(decides).encode()),
        license=entry.license,
        credit=entry.source,
    )


def _changed(entry: Entry, before: Written | None) -> dict[str, Any]:
    """An option that has a part drawn again if a file beside the character's own has changed, else none."""
    if before is None:
        return {}
    known, changed = before.facts.get("sources", {}), before.facts.get("changed", {})
    now = sources_of(entry).digests(known, source_digest)
    if entry.sample is None and now != known:
        changed = now
    return {"changed": dict(changed)} if changed else {}


def short_list(layout: Layout, splits: Sequence[str], strict: bool = False) -> str | None:
    """A sentence if the trainer holds out all names of `train`, else None; `strict` makes it a UsageError."""
    names = splits.count("train")
    if names >= layout.least:
        return None
    held = f", of which the trainer holds out {layout.held_out}" if layout.held_out else ""
    short = f"the list of train has {plural(names, 'name')}{held}: training needs at least {layout.least}"
    if strict:
        raise UsageError(f"{short}; leave out --strict to write it anyway")
    return short


def drawn_in_processes(workers: int, config: BuildConfig, advance: Callable[[int], None]) -> RunTasks:
    """Return a function that writes parts in so many processes; a part whose process is lost is not written.

    A process has a build's limits of memory and time for each character.
    """

    def write(tasks: Sequence[PartTask]) -> Generator[tuple[int, PartDone], None, None]:
        pool = Pool(workers, config.timeout, memory_bytes(config.memory))
        with closing(pool.run(write_part, tasks)) as results:
            for number, done in results:
                advance(1)
                if isinstance(done, Lost):
                    reason = f"{tasks[number].part.key} was not drawn: {done.reason}"
                    done = PartDone(False, NotWritten(reason, suits=False))
                yield number, done

    return write


class Estimate(NamedTuple):
    """What an export would write, from one character that was drawn."""

    characters: int
    files: int
    bytes: int
    seconds: float


def estimate(layout: ViewLayout, parts: Planned, workers: int) -> Estimate:
    """Draw the first character that can be drawn into a folder that is removed again, and multiply."""
    problem = "there is no character"
    for part, fingerprint in parts:
        with tempfile.TemporaryDirectory(prefix="specsia-dry-run-") as folder:
            write_part(PartTask(layout.name, part, fingerprint, Path(folder) / "warm", None))
            start = time.perf_counter()
            done = write_part(PartTask(layout.name, part, fingerprint, Path(folder) / "timed", None))
            seconds = time.perf_counter() - start
            if done.missed is not None:
                problem = done.missed.reason
                continue
            files = [path for path in (Path(folder) / "timed").rglob("*") if path.is_file()]
            size = sum(path.stat().st_size for path in files)
        count, rounds = len(parts), math.ceil(len(parts) / workers)
        return Estimate(count, (len(files) - 1) * count, size * count, seconds * rounds)
    raise CharacterError(f"no character can be drawn: {problem}")
