"""Media of a clip beside its frames: films, captions and generated backgrounds."""

import io
import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Pixels
from specsia_build.errors import CharacterError
from specsia_build.layouts.part import Pictures

MOST_WORDS = 12  # Words of a name in a caption, at most; text encoders cut off longer ones
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

_VERBS = re.compile(
    "attack|bite|block|bow|cheer|clap|climb|crawl|crouch|dance|duck|eat|fall|fight|gallop|hop|jog|jump|kick|kneel|march|"
    "nod|punch|push|roll|run|shoot|sit|skip|sneak|spin|stand|swim|throw|trot|turn|walk|wave"
)

_PROGRAM_WORDS = frozenset(
    ["action", "anim", "animation", "armature", "base", "com", "layer", "mixamo", "take", "unreal"]
)
"""Words that programs put into names of motions, as in ``Take 001|BaseLayer`` or
``Armature|mixamo.com|Layer0``."""

_FILE_WORDS = frozenset(
    "animated copy fbx glb gltf model obj rigged scene sketchfab untitled vrm".split()  # noqa: SIM905
)
"""Words in file names that do not describe the character, as in ``scene.gltf`` or ``fox_animated.glb``."""

_PHRASES = {"idle": "stands idle", "death": "dies", "die": "dies", "fly": "flies"}
CLOUD_CELLS, MOST_SHAPES = (3, 7, 15, 31), 12
"""Cells of the random grids that clouds are summed from, each at half the weight of the one before; and the
most flat shapes of a picture."""


def played(clip: Pictures, least: int) -> list[int]:
    """Frame numbers of a film of a clip: all frames, repeated until there are at least `least`.

    A loop starts again at its first frame; any other motion goes to and fro, so that it never jumps. Raises
    CharacterError if the clip has one frame.
    """
    if clip.frames < 2:
        raise CharacterError(f"{clip.meta['id']} has one frame, which makes no film")
    once = list(range(clip.frames))
    period = once if clip.meta["loops"] else [*once, *once[-2:0:-1]]
    return [period[k % len(period)] for k in range(max(least, len(once)))]


def require_first(shows: bool, key: str, purpose: str) -> None:
    if not shows:
        raise CharacterError(f"{key} shows nothing in its first frame, which would be the {purpose}")


def corner(size: int, shape: tuple[int, int]) -> tuple[int, int]:
    """Row and column at which a square frame starts in the middle of a canvas (height, width)."""
    return (shape[0] - size) // 2, (shape[1] - size) // 2


def on_canvas(picture: Pixels, shape: tuple[int, int], fill: int, column: int | None = None) -> Pixels:
    """Put a square picture (S, S) or (S, S, C) on a (height, width) canvas at least as big.

    It lies in the middle, or begins at a column.
    """
    row, middle = corner(len(picture), shape)
    column = middle if column is None else column
    canvas = np.full((*shape, *picture.shape[2:]), fill, np.uint8)
    canvas[row : row + len(picture), column : column + len(picture)] = picture
    return canvas


def npy(array: NDArray[Any]) -> bytes:
    """Encode an array as NumPy's `.npy`."""
    np.save(stream := io.BytesIO(), array, allow_pickle=False)
    return stream.getvalue()


def rgb(picture: Pixels) -> Pixels:
    """Grey pictures (..., H, W) as RGB (..., H, W, 3)."""
    return np.repeat(picture[..., None], 3, axis=-1)


def caption(meta: Mapping[str, Any]) -> str:
    """Describe a clip in a line of ASCII, from the names of its character and motion in `Pictures.meta`."""
    words = _words(meta["character"], _FILE_WORDS)
    subject = words if "character" in words else [*words, "character"]
    phrase = f"{'an' if subject[0][0] in 'aeiou' else 'a'} {' '.join(subject)}"
    clip = meta["clip"]
    if not clip["origin"]:
        return f"{phrase} stands still, seen from all around"
    rig, *parts = clip["action"].split("|")
    names = (_words(part, subject) for part in reversed(parts or [rig]))
    action = next((words for words in names if not _PROGRAM_WORDS.issuperset(words)), [])
    word = " ".join(action)
    if _VERBS.fullmatch(word):
        return f"{phrase} {word}{'es' if word.endswith('ch') else 's'}"
    if len(action) == 1 and word.endswith("ing") and len(word) > len("swing"):
        return f"{phrase} is {word}"
    return f"{phrase} {_PHRASES.get(word, f'moves: {word}' if word else 'moves')}"


def _words(name: str, without: Collection[str]) -> list[str]:
    """Words of a name in lower case, except numbers, single letters and those in `without`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = []
    for part in re.split(r"[^A-Za-z]+|(?<=\d)[A-Z]{1,2}(?![a-z])", plain):
        if part.lower() not in without:
            words += [word.lower() for word in _WORD.findall(part)]
    return [word for word in words if len(word) > 1 and word not in without][:MOST_WORDS]


def background(number: int, height: int, width: int) -> Pixels:
    """Generate a background (height, width, 3) by number: gradients, clouds, flat shapes, free of rights."""
    rng = np.random.default_rng([number, height, width])
    colours = rng.uniform(0, 255, (3, 3))
    y, x = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    share, turn = rng.random(2)
    picture = _mixed(colours[0], colours[1], share * (x if turn < 0.5 else 1 - x) + (1 - share) * y)
    strength = rng.random()
    clouds = sum(
        scipy.ndimage.map_coordinates(rng.random((cells + 1, cells + 1)), [y * cells, x * cells], order=1)
        / 2**octave
        for octave, cells in enumerate(CLOUD_CELLS)
    )
    clouds = (clouds - clouds.min()) / max(float(np.ptp(clouds)), 1e-9)
    picture = _mixed(picture, colours[2], strength * clouds)
    for _ in range(rng.integers(MOST_SHAPES + 1)):
        colour, opacity = rng.uniform(0, 255, 3), rng.uniform(0.2, 1)
        kind = rng.integers(3)
        row, column = rng.random(2)
        high, wide = rng.uniform(0.03, 0.4, 2)
        down, across = (y - row) / high, (x - column) / wide
        # A disc, a box or a band.
        distance = (down**2 + across**2, np.maximum(abs(down), abs(across)), abs(down + across))[kind]
        picture = _mixed(picture, colour, opacity * np.where(distance < 1, 1.0, 0.0))
    return np.rint(picture).astype(np.uint8)


def _mixed(first: Doubles, second: Doubles, share: Doubles) -> Doubles:
    return first + (second - first) * share[..., None]
