"""Map the joints of human rigs to the bones of one humanoid, named as in VRM 1.0.

Rigs of Mixamo, Quaternius, KayKit, Unreal, Rigify or BVH files need no special cases: sides and parts are
words that all use, upper and lower follow from the hierarchy, hips are where legs and upper body meet.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from specsia_build.animation.joint_names import HELPERS, STEERING, part_of, words_of
from specsia_build.animation.skeleton import Skeleton

_IN_THE_PALM = "metacarpal"

FINGERS = {
    "Thumb": ("Metacarpal", "Proximal", "Distal"),
    **dict.fromkeys(("Index", "Middle", "Ring", "Little"), ("Proximal", "Intermediate", "Distal")),
}

_NUMBER = "0123456789._- "

_MOST_LIKE = 64  # Most joints of one part that are considered
_MOST_ABOVE = 1000  # Most ancestors of a node that are considered

SPINE = ("spine", "chest", "upperChest")

_LEG = ("UpperLeg", "LowerLeg", "Foot")
NEEDED = ("hips", "spine", *(side + part for side in ("left", "right") for part in _LEG))
"""Bones without which no motion of another figure can be played."""

WANTED = ("head", *(s + part for s in ("left", "right") for part in ("UpperArm", "LowerArm")))
"""Bones whose lack is reported as a warning."""

_DECIMAL = re.compile(r"\d")


@dataclass(frozen=True)
class Humanoid:
    """Bones of a humanoid in a skeleton."""

    bones: Mapping[str, int]  # Node of each bone that exists, named as in VRM 1.0
    spine: tuple[int, ...]  # Nodes from the first above the hips up to the parent of neck and shoulders

    @property
    def missing(self) -> tuple[str, ...]:
        """Needed bones that are missing."""
        return tuple(bone for bone in NEEDED if bone not in self.bones)

    def parent(self, bone: str) -> int | None:
        """Node of a bone's anatomical parent, which the rig's hierarchy need not have."""
        if bone in ("hips", *SPINE):
            return None if bone == "hips" else self.bones.get("hips")
        top = self.spine[-1] if self.spine else self.bones.get("hips")
        side, part = next(((s, bone[len(s) :]) for s in ("left", "right") if bone.startswith(s)), ("", bone))
        above = {
            "neck": (),
            "head": ("neck",),
            "Shoulder": (),
            "UpperArm": ("Shoulder",),
            "LowerArm": ("UpperArm",),
            "Hand": ("LowerArm",),
            "UpperLeg": ("hips",),
            "LowerLeg": ("UpperLeg",),
            "Foot": ("LowerLeg",),
            "Toes": ("Foot",),
        }.get(part, ("Hand", "LowerArm"))
        candidates = (self.bones.get(name if name[0].islower() else side + name) for name in above)
        return next((node for node in candidates if node is not None), top)


def humanoid(
    skeleton: Skeleton, stated: Mapping[str, int] | None = None, *, swapped: bool = False
) -> Humanoid:
    """Find the bones of a humanoid in a skeleton; those of animals and machines lack some.

    If the file states nodes of any bones, names are ignored. Joints that are `swapped` have the names of the
    other side. Thumbs of VRM 0.x are renamed as in 1.0.
    """
    if stated:
        known = {bone: node for bone, node in stated.items() if 0 <= node < len(skeleton.names)}
        bones = {_current(bone, stated): node for bone, node in known.items()}
        return Humanoid(bones, tuple(bones[bone] for bone in SPINE if bone in bones))
    tree, named = _Tree(skeleton), dict[str, int | None]()
    left = -1 if swapped else 1
    for name, side in (("left", left), ("right", -left)):
        named |= {name + part: node for part, node in (_leg(tree, side) | _arm(tree, side)).items()}
    named |= _trunk(tree, named)
    hips, end = named["hips"], _carrier(tree, named)
    spine: list[int] = []
    if hips is not None and end is not None:
        spine = tree.above(end)[: tree.above(end).index(hips)][::-1]
    chosen = spine if len(spine) < 3 else [spine[0], spine[len(spine) // 2], spine[-1]]
    named |= dict(zip(SPINE, chosen, strict=False))
    return Humanoid({bone: node for bone, node in named.items() if node is not None}, tuple(spine))


def _current(bone: str, stated: Mapping[str, int]) -> str:
    side = bone.removesuffix("ThumbIntermediate").removesuffix("ThumbProximal")
    if side == bone or f"{side}ThumbIntermediate" not in stated:
        return bone
    return f"{side}Thumb" + ("Proximal" if bone.endswith("Intermediate") else "Metacarpal")


def spoken(bone: str) -> str:
    """A bone's name in words, such as left upper leg."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in bone)


class _Tree:
    """Ancestors of each node, and candidates by side and part: joints of skins first, then the highest."""

    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton, self.names = skeleton, skeleton.names
        self.parents: list[int] = skeleton.parents.tolist()
        self.candidates: dict[tuple[int, str], list[int]] = {}
        self._paths: dict[int, list[int]] = {}
        depth: list[int] = []
        for node, (name, parent) in enumerate(zip(skeleton.names, self.parents, strict=True)):
            depth.append(depth[parent] + 1 if parent >= 0 else 0)
            part = part_of(name) if name else None
            if part is not None:
                self.candidates.setdefault(part, []).append(node)
            elif STEERING in (words := words_of(name)):
                side, name = part_of(" ".join(word for word in words if word != STEERING)) or (0, "")
                self.candidates.setdefault((side, STEERING + name), []).append(node)
        for part, nodes in self.candidates.items():
            self.candidates[part] = sorted(
                nodes, key=lambda node: (node not in skeleton.joints, depth[node], node)
            )[:_MOST_LIKE]

    def above(self, node: int) -> list[int]:
        """A node and its ancestors, the nearest first."""
        if node not in self._paths:
            self._paths[node] = list(islice(self.skeleton.above(node), _MOST_ABOVE))
        return self._paths[node]

    def first(
        self, side: int, *parts: str, below: int | None = None, above: Sequence[str] = ()
    ) -> int | None:
        """The highest joint of the first of `parts` that has any, `below` a node if given.

        Joints with a descendant among the parts `above` come first: Source's ``L_Elbow`` only corrects arms.
        """
        for part in parts:
            nodes = self.candidates.get((side, part), [])
            if below is not None:
                nodes = [node for node in nodes if below in self.above(node)[1:]]
            if nodes:
                known = nodes if above else ()
                holding = (node for node in known if self.first(side, *above, below=node) is not None)
                return next(holding, nodes[0])
        return None

    def lowest(self, side: int, part: str, above: Sequence[str]) -> int | None:
        """The lowest joint of a part with a descendant among the parts `above`, or else the lowest of all."""
        nodes = self.candidates.get((side, part), [])
        holding = [node for node in nodes if self.first(side, *above, below=node) is not None]
        return next(iter((holding or nodes)[-1:]), None)

    def beside_or_above(self, node: int, other: int) -> bool:
        """Whether a node is a joint's ancestor or sibling: Rigify's arms are siblings of their shoulders."""
        return node in self.above(other) or self.parents[node] == self.parents[other]

    def is_joint(self, node: int | None) -> bool:
        """Whether skins use a node as a joint, or use no joints at all."""
        return node is not None and (not self.skeleton.joints or node in self.skeleton.joints)

    def common(self, nodes: Iterable[int]) -> int | None:
        """The lowest common ancestor of some nodes, which may be one of them."""
        first, *others = (self.above(node) for node in nodes)
        shared = set(first).intersection(*others)
        return next((node for node in first if node in shared), None)


def _leg(tree: _Tree, side: int) -> dict[str, int | None]:
    upper = tree.first(side, "UpperLeg", above=("LowerLeg", "Leg", "Foot"))
    lower = tree.first(side, "LowerLeg", below=upper, above=("Foot",))
    if upper is None:
        # "Leg" is the upper leg above a shin, and the lower leg below a thigh.
        upper = tree.first(side, "Leg", above=("LowerLeg", "Leg", "Foot"))
    if upper is None:
        upper = tree.lowest(side, "Hip", above=("LowerLeg", "Foot"))
    if lower is None and upper is not None:
        lower = tree.first(side, "Leg", below=upper, above=("Foot",))
    # Without a foot below the leg, its control may carry the mesh, or the leg is numbered down to the foot.
    foot = tree.first(side, "Foot", below=lower) or tree.first(side, "Foot", STEERING + "Foot")
    if foot is None and lower is not None:
        foot = tree.first(side, "Leg", below=lower)
    # A foot below an ankle is where the toes begin.
    toes = None if foot is None else tree.first(side, "Toes", "Foot", below=foot)
    return {"UpperLeg": upper, "LowerLeg": lower, "Foot": foot, "Toes": toes}


def _arm(tree: _Tree, side: int) -> dict[str, int | None]:
    upper = tree.first(side, "UpperArm", "Arm", above=("LowerArm", "Arm", "Hand"))
    shoulder = tree.first(side, "Shoulder", above=("UpperArm", "Arm"))
    if upper is None:
        # A shoulder with an elbow below it is the upper arm, and a collar above it the shoulder.
        upper = tree.lowest(side, "Shoulder", above=("LowerArm", "Arm"))
        shoulder = shoulder if shoulder != upper else None
    if shoulder is not None and upper is not None and not tree.beside_or_above(shoulder, upper):
        shoulder = None
    lower = tree.first(side, "LowerArm", "Arm", below=upper, above=("Hand",)) if upper is not None else None
    hand = tree.first(side, "Hand", below=lower, above=(*FINGERS, "Finger")) if lower is not None else None
    arm: dict[str, int | None] = {"Shoulder": shoulder, "UpperArm": upper, "LowerArm": lower, "Hand": hand}
    for finger, joints in FINGERS.items() if lower is not None else ():
        nodes = [node for node in tree.candidates.get((side, finger), ()) if lower in tree.above(node)]
        # A bone inside the palm is named like the finger, without a number.
        numbered = [node for node in nodes if _DECIMAL.search(tree.names[node])]
        for joint, node in zip(joints, numbered or nodes, strict=False):
            arm[finger + joint] = node
    return arm if lower is None else _numbered_fingers(tree, side, lower) | arm


def _numbered_fingers(tree: _Tree, side: int, lower: int) -> dict[str, int | None]:
    """Five fingers that differ only in numbers, from the thumb: ``L Finger0`` of 3ds Max, ``finger1-1.L``."""
    nodes = [node for node in tree.candidates.get((side, "Finger"), ()) if lower in tree.above(node)]
    first = [node for node in nodes if not set(tree.above(node)[1:]) & set(nodes)]
    first.sort(key=lambda node: tree.names[node])
    if len(first) != len(FINGERS):
        return {}
    fingers: dict[str, int | None] = {}
    for (finger, joints), start in zip(FINGERS.items(), first, strict=True):
        chain = [node for node in nodes if start in tree.above(node)]
        if finger != "Thumb":
            chain = [node for node in chain if _IN_THE_PALM not in words_of(tree.names[node])]
        fingers |= {finger + joint: node for joint, node in zip(joints, chain, strict=False)}
    return fingers


def _trunk(tree: _Tree, bones: Mapping[str, int | None]) -> dict[str, int | None]:
    """Hips, the common ancestor of legs and head or arms; neck; head, of several that nearest the legs."""
    legs = [node for node in (bones["leftUpperLeg"], bones["rightUpperLeg"]) if node is not None]
    arms = [node for node in (bones["leftUpperArm"], bones["rightUpperArm"]) if node is not None]

    def shared(nodes: Sequence[int]) -> int:
        common = tree.common([*legs, *nodes])
        return -1 if common is None else len(tree.above(common))

    # A mesh named like the head is elsewhere in the hierarchy than the joint.
    head = max(tree.candidates.get((0, "Head"), ()), key=lambda node: shared([node]), default=None)
    necks = tree.candidates.get((0, "Neck"), [])
    if head is not None:
        necks = [node for node in necks if node in tree.above(head)[1:]]
    neck = max(necks, key=lambda node: shared([node]), default=None)
    if not (tree.is_joint(head) or tree.is_joint(neck)) and (numbered := _above_arms(tree, arms)):
        head, neck = numbered[-1], numbered[0] if len(numbered) > 1 else None
    upper = [node for node in (head, neck) if node is not None][:1] or arms
    hips = tree.common([*legs, *upper]) if len(legs) == 2 and upper else None
    if neck is None and head is not None and len(arms) == 2 and hips is not None:
        neck = _between(tree, head, tree.common(arms), hips)
    return {"hips": hips, "neck": neck, "head": head}


def _between(tree: _Tree, head: int, chest: int | None, hips: int) -> int | None:
    """The first joint from the arms' common ancestor to the head, by any name: ``CC_Base_NeckTwist01``."""
    path = tree.above(head)
    if chest is None or chest not in path or hips not in tree.above(chest)[1:]:
        return None
    return path[path.index(chest) - 1] if path.index(chest) > 1 else None


def _above_arms(tree: _Tree, arms: Sequence[int]) -> list[int]:
    """The part above the arms of a spine that is numbered up to the head: ``DEF-spine.006`` of Rigify.

    It begins above the arms' common ancestor or, if that is not of the spine, with the first joint above.
    """
    path, names = list[int](), tree.names
    for node, parent in enumerate(tree.parents):
        words = words_of(names[node].rstrip(_NUMBER))
        if not tree.is_joint(node) or "spine" not in words or HELPERS & set(words):
            continue
        if not path or (parent == path[-1] and names[node].rstrip(_NUMBER) == names[parent].rstrip(_NUMBER)):
            path.append(node)
    if len(arms) < 2 or len(path) < 2:
        return []
    if (end := tree.common(arms)) in path:
        return path[path.index(end) + 1 :]
    places = tree.skeleton.rest_worlds[:, :3, 3]
    up = (places - places[path[0]]) @ (places[path[-1]] - places[path[0]])
    return [node for node in path[1:] if up[node] > up[list(arms)].mean()]


def _carrier(tree: _Tree, bones: Mapping[str, int | None]) -> int | None:
    """Common parent of neck, head or arms, as long as the hips are above it."""
    top = bones["neck"] if bones["neck"] is not None else bones["head"]
    arms = [node for node in (bones["leftUpperArm"], bones["rightUpperArm"]) if node is not None]
    end = tree.common(arms) if top is None and len(arms) == 2 else None
    if top is not None and len(tree.above(top)) > 1:
        end = tree.above(top)[1]
    return end if end is not None and bones["hips"] in tree.above(end) else None
