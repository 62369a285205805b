"""Files of a run and of any folder, and datasets packed in this process."""

from pathlib import Path

from specsia_build.config import PAIRS
from specsia_build.layouts.packing import Packed, PackTarget, in_processes, pack
from specsia_build.layouts.part import Facts, Load, Part
from specsia_build.layouts.registry import load_layout
from specsia_build.pipeline.run import RunPaths
from specsia_build.stages.registry import character_stages


def artefact(run: Path, stage: str, key: str, backend: str | None = None) -> Path:
    """The tar of a stage by its name, of a character or clip."""
    by_name = {entry.name: entry for entry in character_stages()}
    return RunPaths(run).artefact(by_name[stage], backend, key)


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of each file below a folder, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def pairs_of(facts: Facts, load: Load) -> list[tuple[Part, str]]:
    """Parts of a dataset of stills, with their fingerprints."""
    layout, options = load_layout(PAIRS), {"moving": False, "layers": []}
    parts = [
        Part(key, facts.splits[members[0].character], tuple(members), options, load)
        for key, members, _ in layout.group(facts.members, facts.splits)
    ]
    return sorted(((part, layout.fingerprint(part)) for part in parts), key=lambda part: part[0].key)


def pack_pairs(facts: Facts, load: Load, folder: Path, state: Path | None = None) -> Packed:
    """Pack a dataset of stills in this process."""
    target = PackTarget(load_layout(PAIRS), folder, state)
    return pack(target, pairs_of(facts, load), in_processes(1, lambda _: None), facts)
