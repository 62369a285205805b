"""The interface of recipes, layouts that some project's loader reads, and recipes by name.

Recipes are entry points of the group ``specsia.recipes``; `dravie`, which `stages.pack` packs, is one more
name.
"""

import io
import zipfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal

import numpy as np

from specsia_build.config import DRAVIE, BuildConfig
from specsia_build.dataset.layers import GT, LAYERS, MASK, frame_file
from specsia_build.errors import SpecsiaError, UsageError, no_such
from specsia_build.files.records import read_json
from specsia_build.pictures.films import read_mp4
from specsia_build.pictures.sheets import as_stored

GROUP = "specsia.recipes"

MOST_FRAMES = 100_000  # Frames of a part that `verify` reads, at most, so that a false number costs no memory
MOST_BYTES = 1 << 28  # Size of an unpacked array, at most; layers of frames are far smaller


@dataclass(frozen=True)
class ClipFrames:
    """The T frames of a clip, each S x S pixels.

    Attributes:
        meta: `id`, `character`, `clip` (its `action`, `view`, `yaw` and so on), `fps`, `times` (T,) in
            seconds, `loops` (whether the first frame follows the last one smoothly), `yaws` (T,) of the
            camera, `size`, `width` of the camera's frame, `box` of positions, `license`, `source`; with
            labels also `palette` (R, 3), the flat colours of regions; `backend` of a reconstruction, else
            None.
        files: encoded layers of each frame, by `frame_file`.
        clean: the same of the character, where `files` are of a reconstruction.
    """

    meta: Mapping[str, Any]
    files: Mapping[str, bytes]
    clean: Mapping[str, bytes] | None = None

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.meta["times"])

    def raw(self, layer: str, frame: int) -> bytes:
        """Return the encoded layer of a frame."""
        return self.files[frame_file(layer, frame)]

    def frame(self, layer: str, frame: int) -> Any:
        """Decode a layer of a frame, in the form that `dataset.layers.LAYERS` states."""
        return LAYERS[layer].decode(self.raw(layer, frame))


@dataclass(frozen=True)
class Part:
    """The unit that a recipe writes: a clip, or all clips of a character. Iterating loads one clip at a time.

    Attributes:
        key: id of the clip or the character; a valid file name.
        split: `train`, `validation` or `test`; the same for all clips of a character.
        options: result of `Recipe.options`.
        clips: ids of the clips, in order.
        load: loads the frames of a clip.
    """

    key: str
    character: str
    split: str
    options: Mapping[str, Any]
    clips: Sequence[str]
    load: Callable[[str], ClipFrames]

    def __iter__(self) -> Iterator[ClipFrames]:
        """Load the clips one by one."""
        return map(self.load, self.clips)


@dataclass(frozen=True)
class Written:
    """The record of a written part; see `Part` for the fields they share.

    Attributes:
        license, credit: of the character; None where its source states none.
        files: size in bytes and SHA-256 by name in the recipe's folder, in order.
        facts: result of `Recipe.write`.
        mark: fingerprint of everything that decides the files; empty for parts read from `parts.jsonl`.
    """

    key: str
    character: str
    split: str
    clips: Sequence[str]
    license: str | None
    credit: str | None
    files: Mapping[str, tuple[int, str]]
    facts: Mapping[str, Any]
    mark: str = ""


class Recipe(ABC):
    """A layout, written part by part in worker processes into `DIR/NAME`.

    To add one, subclass this with a constructor without arguments, and declare the class under its name as an
    entry point of the group ``specsia.recipes``.

    Attributes:
        name: name on the command line and of the folder.
        version: to be raised whenever the same frames give other files.
        title: one line about the layout.
        loading: Markdown for the card: the layout, and how to load it with its reader.
        layers: names of `dataset.layers.LAYERS` that are needed of each frame.
        defaults: settings used where the user states none: `size`, or settings of clips such as `fps` or
            `frames`.
        by: whether a part is a clip or all clips of a character.
        reconstructions: whether reconstructions are written too, into `DIR/NAME-BACKEND`.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    title: ClassVar[str]
    loading: ClassVar[str]
    layers: ClassVar[Sequence[str]]
    defaults: ClassVar[Mapping[str, Any]] = {}
    by: ClassVar[Literal["clip", "character"]] = "clip"
    reconstructions: ClassVar[bool] = False

    def check(self, config: BuildConfig) -> None:  # noqa: B027  most recipes accept all settings
        """Raise UsageError, with advice, if the layout's reader cannot take the result of these settings."""

    def options(self, config: BuildConfig) -> Mapping[str, Any]:
        """Return what decides the files beside the frames, JSON-serialisable."""
        return {}

    @abstractmethod
    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        """Write the files of a part into an empty folder, from which they are moved to the recipe's folder.

        No two parts may share a name.

        Returns:
            Facts, JSON-serialisable: `frames`, their number; `left_out`, the number of frames that the reader
            cannot take; and whatever `whole` and `verify` need.

        Raises:
            CharacterError: if the reader can take nothing of this part, which is then left out.
        """

    def whole(self, parts: Iterable[Written]) -> Iterable[tuple[str, bytes]]:
        """Return names and bytes of files about all parts, which come sorted by key."""
        return ()

    def expected(self, part: Written) -> Mapping[str, int] | None:
        """Return the names of all files of a part, with the number of frames of films, else 0; None if not
        known."""
        return None

    def verify(self, folder: Path, part: Written) -> Iterator[str]:
        """Check the files of a part, all of which exist; `specsia verify` calls this in worker processes.

        By default the names must be those of `expected`; pictures, arrays, films and JSON must be decodable,
        and files of one kind in one folder have one shape and type. The folder may come from somebody else.
        Yields problems that begin with the name of a file, such as ``a-walk-00/mask/0003.png is missing``.
        """
        if part.facts.get("frames", 0) > MOST_FRAMES:
            yield f"{part.key} has more than {MOST_FRAMES} frames"
            return
        names, expected = part.files, self.expected(part)
        if expected is not None:
            yield from (f"{name} is missing" for name in sorted(expected.keys() - names.keys()))
            yield from (f"{name} does not belong to it" for name in sorted(names.keys() - expected.keys()))
        forms: dict[tuple[PurePosixPath, str], dict[str, Any]] = {}
        for name in names:
            try:
                form, frames = form_of(folder / name)
            except (SpecsiaError, ValueError) as error:
                yield f"{name} cannot be decoded: {error}"
                continue
            path = PurePosixPath(name)
            forms.setdefault((path.parent, path.suffix), {})[name] = form
            if expected and expected.get(name, 0) not in (0, frames):
                yield f"{name} has {frames} frames, not {expected[name]}"
        for group in forms.values():
            ((usual, _),) = Counter(group.values()).most_common(1)
            yield from (
                f"{name} holds {form}, not {usual} as others" for name, form in group.items() if form != usual
            )


def form_of(path: Path) -> tuple[Any, int]:
    """Decode a file; returns what files of its kind share, such as shape and type, and the number of frames
    of a film.

    Raises ValueError or SpecsiaError if it is damaged.
    """
    if path.suffix == ".png":
        return as_stored(path.read_bytes()).shape, 0
    if path.suffix == ".mp4":
        shapes = Counter(frame.shape for frame in read_mp4(path)[1])
        return tuple(shapes), shapes.total()
    if path.suffix == ".json":
        return type(read_json(path, path.name)).__name__, 0
    if path.suffix not in (".npy", ".npz"):
        return None, 0
    data = path.read_bytes()
    try:
        if path.suffix == ".npz":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                    raise ValueError(f"it unpacks to more than {MOST_BYTES} bytes")
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
        arrays = (
            {"": loaded} if isinstance(loaded, np.ndarray) else {key: loaded[key] for key in loaded.files}
        )
    except (EOFError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(str(error)) from error
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("it has values that are not finite")
    return tuple((key, str(array.dtype), array.shape) for key, array in arrays.items()), 0


def available_recipes() -> tuple[str, ...]:
    """Names of recipes, sorted; imports none of them."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)} | {DRAVIE}))


@cache
def load_recipe(name: str) -> Recipe:
    """Load a recipe that writes files of its own; UsageError if no installed package declares it, or two
    do."""
    points = {point.value: point for point in entry_points(group=GROUP, name=name)}
    if not points:
        raise UsageError(no_such("recipe", name, available_recipes()))
    if len(points) > 1:
        raise UsageError(f"the recipe '{name}' is declared more than once: {', '.join(sorted(points))}")
    ((value, point),) = points.items()
    where = f"the recipe '{name}' ({value})"
    try:
        recipe = point.load()()
    # A third-party module may raise anything.
    except Exception as error:
        raise SpecsiaError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(recipe, Recipe) or recipe.name != name or not hasattr(recipe, "loading"):
        kind = "a specsia_build.recipes.recipe.Recipe of that name that states its `loading`"
        raise SpecsiaError(f"{where} cannot be used: it is not {kind}")
    if not set(recipe.layers) <= LAYERS.keys() or recipe.by not in ("clip", "character"):
        raise SpecsiaError(f"{where} cannot be used: its `layers` or `by` are none that exist")
    return recipe


def folder_recipes(names: Sequence[str]) -> list[Recipe]:
    """Load the named recipes that write files of their own, in order."""
    return [load_recipe(name) for name in names if name != DRAVIE]


def layers_of(names: Sequence[str]) -> tuple[str, ...]:
    """Layers of clean frames that the named recipes need, in the order of `LAYERS`."""
    needed = {layer for recipe in folder_recipes(names) for layer in recipe.layers}
    needed |= {MASK, GT} if DRAVIE in names else set()
    return tuple(name for name in LAYERS if name in needed)


def defaults_of(names: Sequence[str], stated: Collection[str]) -> dict[str, Any]:
    """Default settings of the named recipes, without those that are `stated`; UsageError if two recipes
    differ."""
    defaults: dict[str, Any] = {}
    for recipe in folder_recipes(names):
        for setting, value in recipe.defaults.items():
            if setting not in stated and str(defaults.setdefault(setting, value)) != str(value):
                raise UsageError(
                    f"recipes differ in {setting} ({recipe.name} needs {value}, another "
                    f"{defaults[setting]}): state --{setting.replace('_', '-')}, or build each into its own "
                    "--out"
                )
    return defaults
