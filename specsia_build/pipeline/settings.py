"""Settings of a run: its own, a config file's, and the flags', in that order of weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from specsia_build.backends.registry import absolute_spec
from specsia_build.config import DEFAULT_OUT, BuildConfig, ClipSettings, read_run_settings, read_settings, with_settings
from specsia_build.errors import UsageError, meant, spelled
from specsia_build.folders import expanded, shipped
from specsia_build.pipeline.layout import RunLayout, layout_of
from specsia_build.recipes.recipe import defaults_of


def existing_run(folder: str | Path) -> tuple[BuildConfig, RunLayout]:
    """Settings and layout of a run that is there.

    Raises:
        UsageError: if the folder, or the work folder of the URL, holds none.
    """
    layout = layout_of(folder)
    if not layout.config.is_file():
        kept = f" keeps its state in {layout.root}, which is not here, and" if layout.url is not None else ""
        raise UsageError(f"{spelled(folder)}{kept} holds no build: give the folder that `specsia build --out` wrote")
    config = with_settings(BuildConfig(), read_run_settings(layout.config), str(layout.config))
    return config, layout


def named_settings(given: str) -> Path:
    """The file of settings that `--config` means: that file, or the one of this name that comes with the package.

    Raises:
        UsageError: if there is neither.
    """
    known = {path.stem: path for path in shipped("manifests").glob("*.yaml")}
    path = known.get(given, Path(given)) if not Path(given).is_file() else Path(given)
    if not path.is_file():
        names = ", ".join(sorted(known))
        raise UsageError(
            f"--config: there is no file {given}, and no settings of that name: there are {names}.{meant(given, known)}"
        )
    return path


def stated(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags of a command line that were given, by name."""
    return {name: value for name, value in flags.items() if value is not None and value != ()}


def _refuse_other_kind(of_clips: bool, wanted: bool, place: object) -> None:
    """Check that a command goes on with what its own kind made.

    Raises:
        UsageError: if settings found in a place are of clips and clips are not wanted, or the other way round.
    """
    if of_clips != wanted:
        kind, command = ("clips", "specsia clips") if of_clips else ("a build of stills", "specsia build")
        raise UsageError(f"{place} is of {kind}: go on with `{command}`, or name another --out")


def _layered(config: BuildConfig, levels: Sequence[tuple[Mapping[str, Any], str]]) -> BuildConfig:
    """Replace settings level by level, each with where it is from."""
    for level, where in levels:
        config = with_settings(config, level, where)
    return config


def _with_defaults(recipes: Sequence[str], levels: Sequence[Mapping[str, Any]]) -> BuildConfig:
    """The defaults that recipes have, for what no level states."""
    known = {field.name for field in fields(ClipSettings)}
    stated_names = {name for level in levels for name in (*level, *(level.get("clips") or ()))}
    defaults = defaults_of(recipes, stated_names)
    of_clips = {name: value for name, value in defaults.items() if name in known}
    others = {name: value for name, value in defaults.items() if name not in known}
    return with_settings(BuildConfig(), {**others, "clips": of_clips}, f"the recipe {' or '.join(recipes)}")


def effective(
    source: str | None, out: str | Path | None, config_file: Path | None, flags: Mapping[str, Any], fresh: bool
) -> tuple[BuildConfig, RunLayout]:
    """Merge settings: defaults, recipes' defaults, the run in the folder (unless `fresh`), the file, the flags.

    Returns:
        The settings and the layout of the run.

    Raises:
        UsageError: if a setting cannot be used, or the run or the file is of clips where the flags are of a build, or
            the other way round; `clips` among the flags are those of clips.
    """
    settings = read_settings(config_file) if config_file is not None else {}
    stated_out = settings.pop("out", None)
    if stated_out is not None and not isinstance(stated_out, str):
        raise UsageError(f"{config_file}: out must be a folder's path")
    layout = layout_of(out if out is not None else stated_out or DEFAULT_OUT)
    before: Mapping[str, Any] = {}
    if layout.config.is_file():
        before = read_run_settings(layout.config)
        _refuse_other_kind(before.get("clips") is not None, "clips" in flags, spelled(layout.root))
        if fresh:
            before = {name: before[name] for name in ("source",) if name in before}
    if settings.get("clips") is not None:
        _refuse_other_kind(True, "clips" in flags, config_file)
    given = stated(flags) | ({} if source is None else {"source": source})
    levels = ((before, str(layout.config)), (settings, str(config_file)), (given, "the command line"))
    config = _layered(BuildConfig(), levels)
    if config.clips is not None:
        config = _layered(_with_defaults(config.clips.recipes, [level for level, _ in levels]), levels)
    if not config.source.startswith("sample:") and "://" not in config.source:
        config = replace(config, source=str(expanded(config.source).absolute()))
    if config.like is not None and expanded(config.like).is_dir():
        config = replace(config, like=str(expanded(config.like).absolute()))
    return replace(config, backends=tuple(map(absolute_spec, config.backends))), layout
