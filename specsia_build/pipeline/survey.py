"""Read every character of a source once, in worker processes that may crash, and describe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from specsia_build import png
from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.characters.survey import CharacterFacts, facts_of, one_colour, unread
from specsia_build.config import BuildConfig
from specsia_build.errors import MOST_WARNED, CharacterError, brief
from specsia_build.frame import normalise, view_cameras
from specsia_build.memory import memory_bytes
from specsia_build.pipeline.executors import Lost, Needs, local_executor
from specsia_build.pipeline.warm import compile_once
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import compacted
from specsia_build.terminal import progress

SIZE, VIEWS = 256, 10  # Size of the picture in pixels, and number of views that must contain the whole character


def survey(entry: Entry, *, pictured: bool) -> tuple[CharacterFacts, bytes]:
    """Facts of a character, or why it cannot be read; and view 0 as a PNG without contour if `pictured`, else b""."""
    try:
        character = read_character(entry)
        mesh, cameras = compacted(character.mesh), view_cameras(VIEWS, SIZE)
        placed = normalise(mesh.vertices, cameras, 1)
        front = next(iter(FastRenderer().render(mesh.with_vertices(placed.apply(mesh.vertices)), cameras[:1])))
    except CharacterError as error:
        return unread(entry, str(error)), b""
    doubts = tuple(one_colour(character, front.color, front.coverage))
    character = replace(
        character,
        warnings=(*character.warnings, *(doubt.sentence for doubt in doubts)),
        doubts=(*character.doubts, *doubts),
    )
    return facts_of(character), png.encode(front.color) if pictured else b""


def survey_all(
    entries: Sequence[Entry], config: BuildConfig, *, pictured: bool = False
) -> tuple[list[CharacterFacts], list[bytes]]:
    """Facts and pictures of characters in the order of `entries`; see `survey`.

    Procedural characters are removed after reading, so that the disk never holds more of them than there are workers.
    """
    from specsia_build.characters.samples.write import withdraw

    facts_of_entry: dict[int, CharacterFacts] = {}
    pictures = [b""] * len(entries)
    compile_once(config, (), entries)
    needs = Needs(config.timeout, memory=memory_bytes(config.memory))
    with progress.bar("characters", len(entries)) as advance:
        for index, result in local_executor(config)(partial(survey, pictured=pictured), entries, needs):
            facts, pictures[index] = (
                (unread(entries[index], result.reason), b"") if isinstance(result, Lost) else result
            )
            warnings = tuple(brief(sentence, MOST_WARNED) for sentence in facts.warnings)
            facts_of_entry[index] = replace(facts, warnings=warnings, problem=facts.problem and brief(facts.problem))
            withdraw(entries[index])
            advance(1)
    return [facts_of_entry[index] for index in range(len(entries))], pictures
