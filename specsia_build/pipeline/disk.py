"""Estimate of the disk space that clips take, checked before their frames are drawn."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence

from specsia_build.config import BuildConfig
from specsia_build.dataset import layers
from specsia_build.errors import UsageError, plural
from specsia_build.memory import shown
from specsia_build.pipeline.layout import RunLayout
from specsia_build.recipes.registry import folder_recipes, layers_of
from specsia_build.stages.clips import draw
from specsia_build.stages.stage import Clip

DRAWN = {
    layers.COLOR: 0.2,
    layers.GT: 0.2,
    layers.MASK: 0.03,
    layers.POS: 0.17,
    layers.FLOW: 1.35,
    layers.BACK: 1.35,
    layers.UDP: 1.8,
}
"""Bytes a pixel of a layer in an artefact, measured on a textured character at 512 pixels."""

OTHERS = 0.06
"""The same of any other layer, such as lines and labels."""

WRITTEN = {**DRAWN, layers.FLOW: 8.0, layers.BACK: 8.0}
"""Bytes a pixel of a layer in a recipe's folder, where flow is not compressed."""

MOVED = (layers.COLOR, layers.MASK, layers.POS)
"""Layers of a moving reconstruction."""


def bytes_of_clips(config: BuildConfig, clips: Iterable[Clip]) -> int:
    """Bytes of the artefacts and recipe folders of clips, to about a quarter."""
    assert config.clips is not None
    recipes = folder_recipes(config.clips.recipes)
    each = sum(DRAWN.get(layer, OTHERS) for layer in layers_of(config.clips.recipes))
    each += sum(WRITTEN.get(layer, OTHERS) for recipe in recipes for layer in recipe.layers)
    if config.clips.pairs:
        moved = sum(DRAWN[layer] for layer in MOVED) * len(config.backends)
        each += moved * (1 + sum(recipe.reconstructions for recipe in recipes))
    return round(sum(clip.frames for clip in clips) * config.size**2 * each)


def refuse_full_disk(config: BuildConfig, layout: RunLayout, clips: Sequence[Clip]) -> None:
    """Check that the clips that are not drawn yet fit on the disk of a run.

    Raises:
        UsageError: if they do not.
    """
    clips = [clip for clip in clips if not layout.artefact(draw.STAGE, None, clip.id).is_file()]
    needed, free = bytes_of_clips(config, clips), shutil.disk_usage(layout.root).free
    if needed > free:
        raise UsageError(
            f"{plural(len(clips), 'clip')} take about {shown(needed)}, and {shown(free)} are free in {layout.root}: "
            "take fewer motions with --clip, fewer characters with --limit, smaller pictures with --size, or an --out "
            "on another disk"
        )
