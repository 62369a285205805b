"""Reads the facts of a run of clips: meta data of artefacts, failures, the log, the dataset's digests; no picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial

from specsia_build.config import BuildConfig, backend_name
from specsia_build.dataset import schema, splits
from specsia_build.dataset.layers import LINE, frame_file
from specsia_build.errors import plural
from specsia_build.gallery.facts import Facts
from specsia_build.gallery.gather import ReadMeta, asked_for, currently, digest_of, facts_of, meta_of
from specsia_build.gallery.items import IOU, MADE, TARGET, Item, Side
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.store import seen
from specsia_build.stages import reconstruct
from specsia_build.stages.clips import carry, draw, motions, move
from specsia_build.stages.stage import Clip, Meta

DRAWN = {
    schema.GT: schema.GT,
    schema.COLOR: schema.COLOR,
    schema.GT_MASK: schema.MASK,
    schema.POS: schema.POS,
    LINE: LINE,
}
"""Layers of a clip's frames that are pictures, and what its files call them; recipes ask for some."""


@dataclass(frozen=True)
class MovingFacts:
    """All about a run of clips.

    Attributes:
        facts: what is known of any run; its `made` are none.
        planned: the clips that its characters have, by id of the character.
        drawn: those that are drawn up to date, in the order of characters and clips.
    """

    facts: Facts
    planned: Mapping[str, tuple[Clip, ...]]
    drawn: tuple[Item, ...]

    @property
    def backends(self) -> tuple[str, ...]:
        """Names of those whose reconstructions are moved."""
        clips = self.facts.config.clips
        return self.facts.backends if clips is not None and clips.pairs else ()

    @property
    def lead(self) -> str:
        """What was made, in a sentence."""
        config, frames = self.facts.config, sum(one.frames for one in self.drawn)
        fps = "" if config.clips is None else f" at {config.clips.fps:g} frames a second"
        moved = f", moved by {', '.join(self.backends)}" if self.backends else ""
        characters = len({one.character for one in self.drawn})
        return (
            f"{plural(len(self.drawn), 'clip')} of {plural(characters, 'character')}, {plural(frames, 'frame')} of "
            f"{config.size}×{config.size} px{fps}{moved}."
        )


def gather_clips(config: BuildConfig, layout: RunLayout, read: ReadMeta = seen) -> MovingFacts:
    """Look at a run of clips, as `gather` looks at one of stills; the source itself need not be there any more.

    Raises:
        SpecsiaError: if the splits or the failures cannot be read.
    """
    split_of, damaged, outdated = splits.frozen(layout.splits), list[str](), Counter[str]()
    meta = partial(meta_of, layout, damaged, read)
    specs = config.backends if config.clips is not None and config.clips.pairs else ()
    backends = {backend_name(spec): currently(reconstruct.STAGE, config, spec) for spec in specs}
    finds, draws, moves = (currently(stage, config) for stage in (motions.STAGE, draw.STAGE, move.STAGE))
    planned: dict[str, tuple[Clip, ...]] = {}
    drawn: list[Item] = []
    pairs: dict[tuple[str, str], str] = {}
    for character in asked_for(split_of, layout):
        known = meta(motions.STAGE, None, character)
        if known is None:
            continue
        if not finds(known):
            outdated[motions.STAGE.name] += 1
            continue
        planned[character] = tuple(motions.clips_of(known))
        carried = [found for name in backends if (found := meta(carry.STAGE, name, character)) is not None]
        warnings = tuple(w for found in (known, *carried) for w in found.get("warnings", ()))
        meshes = {name: meta(reconstruct.STAGE, name, character) for name in backends}
        for name, reconstructs in backends.items():
            if (mesh := meshes[name]) is not None and not reconstructs(mesh):
                outdated[f"{reconstruct.STAGE.name} {name}"] += 1
                meshes[name] = None
        for clip in planned[character]:
            clean = meta(draw.STAGE, None, clip.id)
            if clean is None:
                continue
            if clean["clip"] != asdict(clip) or clean["size"] != config.size or not draws(clean):
                outdated[draw.STAGE.name] += 1
                continue
            sides = {TARGET: Side(TARGET, _layers(clean))}
            for name in backends:
                moved = meta(move.STAGE, name, clip.id)
                if moved is None:
                    continue
                if (mesh := meshes[name]) is None or not _follows(moved, clean, mesh) or not moves(moved):
                    outdated[f"{move.STAGE.name} {name}"] += 1
                    continue
                sides[name] = Side(name, MADE, {IOU.key: tuple(moved["iou"])})
                pairs[name, clip.id] = digest_of(_shown(clean, moved))
            drawn.append(
                Item(
                    id=clip.id,
                    character=character,
                    split=split_of[character],
                    frames=clip.frames,
                    sides=sides,
                    fps=config.clips.fps if config.clips is not None else 1.0,
                    action=clip.action,
                    license=clean["license"],
                    credit=clean["source"],
                    warnings=(*warnings, *clean["warnings"]),
                    numbers={name: clean[name] for name in ("outline_px", "outline_grey")},
                )
            )
    of_clips = {clip.id: split_of[name] for name, clips in planned.items() for clip in clips}
    facts = facts_of(config, layout, split_of, pairs, damaged, of_clips)
    return MovingFacts(replace(facts, outdated=dict(outdated)), planned, tuple(drawn))


def _layers(clean: Meta) -> tuple[str, ...]:
    """What is shown of a clip's frames: what Y* is drawn from is left out where Y* itself is there."""
    files = {name.rpartition("_")[0] for name in clean["files"]}
    passed_over = {schema.COLOR, schema.POS} if schema.GT in files else set()
    return tuple(layer for layer, file in DRAWN.items() if file in files and layer not in passed_over)


def _follows(moved: Meta, clean: Meta, mesh: Meta) -> bool:
    """Whether a moved reconstruction is the one that is there, and was compared with the frames that are there."""
    expected = {name: file["sha256"] for name, file in clean["files"].items() if name.startswith(schema.MASK)}
    expected |= {f"reconstruction/{name}": file["sha256"] for name, file in mesh["files"].items()}
    return all(moved["inputs"].get(name) == digest for name, digest in expected.items())


def _shown(clean: Meta, moved: Meta) -> list[tuple[str, str]]:
    """SHA-256 of Y* and Z of each frame; none where no Y* is drawn."""
    found = []
    for frame in range(len(clean["times"])):
        target, made = frame_file(schema.GT, frame), frame_file(schema.COLOR, frame)
        if target in clean["files"]:
            found.append((clean["files"][target]["sha256"], moved["files"][made]["sha256"]))
    return found
