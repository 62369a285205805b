"""Characters that lost their skin: bones that move, and meshes that nothing binds to them any more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import Document
from specsia_build.characters.gltf.scene import Scene
from specsia_build.errors import CharacterError, plural, some

FEWEST_BONES = 3
"""Nodes that move and carry nothing: a light or a camera may be one, a chain of them is a limb."""

LEAST_STILL = 0.25
"""Share of the triangles that no motion moves."""

_NAMED = 3


def lost_skin(document: Document, scene: Scene, triangles: Sequence[int]) -> list[str]:
    """A sentence if the motions of a file without skins move bones that carry nothing, and leave much of it still.

    Args:
        document: the file; damaged animations are passed over, as they are told of where they are read.
        scene: of it, of which no mesh has a skin.
        triangles: of each of the scene's instances.
    """
    moved = {int(scene.number[node]) for node in _targets(document) if node < len(scene.number)}
    if len(moved) < FEWEST_BONES:
        return []
    parents = scene.skeleton.parents.tolist()
    carries, led = [False] * len(parents), [False] * len(parents)
    for index, stored in enumerate(document.entries(schema.Node)):
        carries[scene.number[index]] = stored.mesh is not None
    # Nodes of a skeleton stand after their parents.
    for node, parent in enumerate(parents):
        led[node] = node in moved or (parent >= 0 and led[parent])
    for node, parent in reversed(list(enumerate(parents))):
        if parent >= 0:
            carries[parent] |= carries[node]
    bare = [scene.skeleton.names[node] or str(node) for node in sorted(moved) if not carries[node]]
    still = [k for k, instance in enumerate(scene.instances) if not led[instance.place]]
    if len(bare) < FEWEST_BONES or sum(triangles[k] for k in still) < LEAST_STILL * sum(triangles):
        return []
    names = [next(iter(scene.instances[k].names), f"mesh {scene.instances[k].index}") for k in still]
    return [
        f"{document.name} has no skin, and its animations move {plural(len(bare), 'bone')} that nothing hangs on "
        f"({some(bare, _NAMED)}): {some(names, _NAMED)} will stand still in every motion; export it again with its skin"
    ]


def _targets(document: Document) -> Iterable[int]:
    """Nodes that the animations of a file move."""
    for index in range(document.root.count(schema.Animation.key)):
        try:
            animation = document.entry(schema.Animation, index)
        except CharacterError:
            continue
        for channel in animation.channels or ():
            if channel.target.node is not None and channel.target.path != "weights":
                yield channel.target.node
