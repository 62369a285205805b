"""What a shell completes where a value is asked for: names, ids of characters, paths; nothing where it knows none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from specsia_build.backends.user_settings import all_settings
from specsia_build.config import DRAVIE, OWN, RENDERERS, backend_name
from specsia_build.folders import shipped

STAGES = ("render", "reconstruct", "project", "pack")
"""Names of the stages of stills, which help and completion know without importing them."""

CLIP_STAGES = ("motions", "draw", "render", "reconstruct", "project", "carry", "move", "pack")
"""Of those of clips."""

CLIPS, LEARNING = "clips", ("load", "train")
"""What `specsia bench` measures besides stages: on characters in motion, and on a dataset instead of a source."""

MOTIONS = (OWN, "idle", "walk", "run", "jump", "wave", "turn")
"""Of motions that are not a file's, which help and completion know without importing them."""

_WHERE = ("dataset", "source", "where", "folder", "one", "run")
"""Parameters that name what characters or configurations are in, the likeliest first."""


def recipe_names() -> list[str]:
    """Layouts that clips are written in; nothing is imported."""
    return sorted({point.name for point in entry_points(group="specsia.recipes")} | {DRAVIE})


def _backends(_ctx: click.Context) -> Iterable[str]:
    """Reconstruction backends; nothing is imported."""
    return {*(point.name for point in entry_points(group="specsia.backends")), *all_settings()}


def _configurations(ctx: click.Context) -> Iterable[str]:
    """Configurations of the dataset that is named on the line."""
    built = json.loads((_place(ctx) / "build.json").read_text(encoding="utf-8"))
    return (backend_name(spec) for spec in built["config"]["backends"])


def _settings(ctx: click.Context) -> Iterable[str]:
    """Settings that come with the package, or configurations where a dataset is named."""
    if "dataset" in ctx.params:
        return _configurations(ctx)
    return (path.stem for path in shipped("manifests").glob("*.yaml"))


def _characters(ctx: click.Context) -> Iterable[str]:
    """Ids of the run, dataset or source that is named on the line."""
    place = _place(ctx)
    for folder in (place, place / "dataset"):
        if (folder / "splits.json").is_file():
            splits = json.loads((folder / "splits.json").read_text(encoding="utf-8"))
            return [one for name in ("train", "validation", "test") for one in splits[name]]
    from specsia_build.characters.sources import open_source

    return [entry.id for entry in open_source(str(place), Path()).entries]


def _drawn(ctx: click.Context) -> Iterable[str]:
    """Ids of what can be drawn of the run, dataset or evaluation that is named on the line: characters, or clips."""
    place = _place(ctx)
    if not place.is_dir():
        return _characters(ctx)
    from specsia_build.gallery.opening import open_gallery

    return [item.id for item in open_gallery(str(place)).items]


def _place(ctx: click.Context) -> Path:
    named = [str(ctx.params[name]) for name in _WHERE if ctx.params.get(name)]
    # The option that is being completed has no value yet, which ends the parsing before arguments get their names.
    return Path((named or ctx.args[::-1])[0])


def _models(_ctx: click.Context) -> Iterable[str]:
    return ("pretrained",)


def _motions(_ctx: click.Context) -> Iterable[str]:
    return MOTIONS


def _none(_ctx: click.Context) -> Iterable[str]:
    return ()


_Names = Callable[[click.Context], Iterable[str]]

_NAMES: Mapping[str, _Names] = {
    "backends": _backends,
    "name": _backends,
    "configs": _configurations,
    "config_name": _settings,
    "recipes": lambda _ctx: recipe_names(),
    "renderer": lambda _ctx: RENDERERS,
    "motions": _motions,
    "character": _characters,
    "ids": _drawn,
    "characters": _characters,
    "parts": _characters,
}
"""Names that the value of a parameter may be, by what every command calls it."""

_PATHS: Mapping[str, _Names] = {
    "config_name": _settings,
    "motions": _motions,
    "run": _models,
    "runs": _models,
    "what": lambda _ctx: (*STAGES, CLIPS, *LEARNING),
    **dict.fromkeys(("source", "where", "other", "dataset", "folder", "one", "two", "like", "out", "exclude"), _none),
}
"""Those whose values may be paths besides."""


def complete(parameter: click.Parameter) -> None:
    """Have a shell complete the values of a parameter, if it is one that has names or paths."""
    name = parameter.name or ""
    names = _NAMES.get(name) or _PATHS.get(name)
    if names is None:
        return

    def found(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        try:
            known = sorted(names(ctx))
        # A line that is being typed has no place for what is wrong with it.
        except Exception:
            known = []
        items = [CompletionItem(one) for one in known if one.startswith(incomplete) and one.isprintable()]
        return [*items, CompletionItem(incomplete, type="file")] if name in _PATHS else items

    vars(parameter)["shell_complete"] = found
