"""Six motions of any humanoid: idle, walk, run, jump, wave and turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from specsia_build.animation.motion import Motion
from specsia_build.animation.plans import AHEAD, SIDES, TRAILING, Array, Body, Plan, baked, body_of
from specsia_build.animation.skeleton import Skeleton

KEYS_PER_SECOND = 60

_STRAIGHT = 0.985
"""The share of its length that a standing leg spans at most."""


def gaits(
    skeleton: Skeleton, bones: Mapping[str, int], hang_deg: float = 65.0, lift_deg: float = 60.0
) -> tuple[Motion, ...]:
    """The six motions of a humanoid, on the ground that it stands on at rest.

    Walking and running it moves forward; all others end where they begin, and all can be looped.

    Args:
        skeleton: upright along one of its file's axes.
        bones: its nodes by VRM's names; all of `plans.NEEDED`.
        hang_deg, lift_deg: degrees below the horizontal, and above it `AHEAD` of the body, that the arms take at most.

    Raises:
        ValueError: if bones are missing, lie in one place, or do not say which way they bend.
    """
    body = body_of(skeleton, bones, hang_deg, lift_deg)
    trailing = {name: node for node, name in enumerate(skeleton.names) if name in TRAILING}
    return tuple(baked(name, plan(body), body, skeleton, {**trailing, **bones}) for name, plan in GAITS.items())


def _phase(seconds: float) -> Array:
    """(T,) 0 to 1, both included."""
    return np.linspace(0.0, 1.0, round(seconds * KEYS_PER_SECOND) + 1)


def _through(p: Array, *keys: tuple[float, float]) -> Array:
    """Values (T,) at p in 0-1, smoothly through keys of place and value, level at its highest and lowest."""
    # Slow to import, and few commands make a motion.
    from scipy.interpolate import PchipInterpolator

    at = np.array(keys, np.float64)
    return np.asarray(PchipInterpolator(at[:, 0], at[:, 1])(p))


def _wave(p: Array, cycles: float = 1.0, late: float = 0.0) -> Array:
    return np.asarray(np.sin(2 * np.pi * (cycles * p - late)))


def _columns(p: Array, *values: Array | float) -> Array:
    """(T, columns) of numbers or values (T,)."""
    return np.stack([np.broadcast_to(np.asarray(v, np.float64), p.shape) for v in values], axis=1)


def _rows(p: Array, x: Array | float = 0.0, y: Array | float = 0.0, z: Array | float = 0.0) -> Array:
    return _columns(p, x, y, z)


def _deg(p: Array, x: Array | float = 0.0, y: Array | float = 0.0, z: Array | float = 0.0) -> Array:
    return np.deg2rad(_rows(p, x, y, z))


def _arm(p: Array, below: Array | float = 0.0, swing: Array | float = 0.0, bend: Array | float = 0.0) -> Array:
    """What an arm does besides, in degrees."""
    return np.deg2rad(_columns(p, below, swing, bend, 0.0))


def _standing(p: Array, seconds: float, body: Body) -> Plan:
    """Both feet on the ground, knees a little soft, arms hanging."""
    none = np.zeros(len(p))
    return Plan(
        seconds,
        hips=_rows(p, y=-0.02 * body.leg),
        ankles={side: _rows(p) for side in SIDES},
        soles=dict.fromkeys(SIDES, none),
        headings=dict.fromkeys(SIDES, none),
        arms={side: _columns(p, body.hang, 0.0, np.deg2rad(12), 0.0) for side in SIDES},
        forearms=dict.fromkeys(SIDES, none),
    )


def _idle(body: Body) -> Plan:
    p = _phase(3.0)
    plan = _standing(p, 3.0, body)
    plan.hips = _rows(p, 0.03 * body.leg * _wave(p), (-0.025 + 0.008 * _wave(p, 2)) * body.leg)
    plan.turns = {
        "spine": _deg(p, x=0.8 * _wave(p, 2), z=1.2 * _wave(p)),
        "chest": _deg(p, x=-1.8 * _wave(p, 2, 0.1)),
        "head": _deg(p, x=1.5 * _wave(p, 2, 0.2), y=8 * _wave(p, 1, 0.1), z=-2.5 * _wave(p)),
        **_trailing(p, 6 * _wave(p, 1), 2 * _wave(p, 2, 0.2)),
    }
    for side in SIDES:
        plan.arms[side] = plan.arms[side] + _arm(p, -3 + 3 * _wave(p, 2, 0.15), 2 * _wave(p, 1, 0.1))
    return plan


def _stepping(p: Array, seconds: float, body: Body, stance: float, stride: float, lift: float) -> Plan:
    """Feet that go from `stride` before the hips to as far behind them while they stand, and hips that go with them."""
    plan = _standing(p, seconds, body)
    travel = 2 * stride / stance * p
    plan.hips = _rows(p, z=travel)
    for side, late in zip(SIDES, (0.0, 0.5), strict=True):
        q = (p - late) % 1.0
        u = np.clip((q - stance) / (1 - stance), 0.0, 1.0)
        # In the air a foot leaves and lands with the ground's speed, seen from the hips.
        drag = 2 * stride * (1 - stance) / stance
        there = (2 * u**3 - 3 * u**2 + 1, u**3 - 2 * u**2 + u, -2 * u**3 + 3 * u**2, u**3 - u**2)
        swing = -stride * there[0] - drag * there[1] + stride * there[2] - drag * there[3]
        z = np.where(q < stance, stride - 2 * stride * q / stance, swing)
        down = _through(u, (0, 0.0), (0.35, 1.0), (0.75, -0.5), (1, 0.0))
        plan.soles = plan.soles | {side: np.deg2rad(24) * down}
        heel = np.abs(np.sin(plan.soles[side])) * body.foot
        plan.ankles[side] = _rows(p, y=lift * np.sin(np.pi * u) ** 2 + heel, z=z + travel)
    return plan


def _low(body: Body, stride: float) -> float:
    """How far the hips are lowered for the ankles to reach as far before and behind them."""
    return float(body.leg * (1 - np.sqrt(_STRAIGHT**2 - (stride / body.leg) ** 2)))


def _walk(body: Body) -> Plan:
    p, leg = _phase(1.0), body.leg
    stride = 0.34 * leg
    plan = _stepping(p, 1.0, body, 0.6, stride, 0.13 * leg)
    low = _low(body, stride)
    # Left stands from 0 to 0.6, alone at 0.3.
    plan.hips += _rows(p, 0.04 * leg * _wave(p, 1, 0.05), -low + 0.018 * leg * (1 + _wave(p, 2, 0.35)))
    plan.turns = {
        "hips": _deg(p, y=-7 * _wave(p, 1, -0.25), z=3 * _wave(p, 1, 0.05)),
        "spine": _deg(p, x=3, y=6 * _wave(p, 1, -0.25), z=-3 * _wave(p, 1, 0.05)),
        "chest": _deg(p, y=6 * _wave(p, 1, -0.25)),
        "head": _deg(p, x=-3 + 2 * _wave(p, 2, 0.45), y=-4 * _wave(p, 1, -0.25), z=-2 * _wave(p, 1, 0.05)),
        **_trailing(p, 12 * _wave(p, 1, 0.2), 4 * _wave(p, 2, 0.5)),
    }
    for side, way in zip(SIDES, (-1, 1), strict=True):
        swing = way * _wave(p, 1, -0.25)
        plan.arms[side] = plan.arms[side] + _arm(p, -2, 4 + 28 * swing, 8 + 8 * swing)
    return plan


def _run(body: Body) -> Plan:
    p, leg, seconds = _phase(0.6), body.leg, 0.6
    plan = _stepping(p, seconds, body, 0.36, 0.42 * leg, 0.4 * leg)
    # Lowest where a foot stands below the hips, at 0.18 and 0.68, highest between.
    bounce = -np.cos(4 * np.pi * (p - 0.18))
    low = _low(body, 0.42 * leg)
    plan.hips += _rows(p, y=-low - 0.04 * leg + (0.06 * leg + 0.012 * body.height) * (bounce - 0.35))
    for side, late in zip(SIDES, (0.0, 0.5), strict=True):
        u = np.clip(((p - late) % 1.0 - 0.36) / 0.64, 0.0, 1.0)
        plan.ankles[side] += _rows(p, y=0.03 * body.height * np.sin(np.pi * u) ** 2)
    plan.turns = {
        "hips": _deg(p, x=6, y=-9 * _wave(p, 1, -0.25)),
        "spine": _deg(p, x=6, y=9 * _wave(p, 1, -0.25)),
        "chest": _deg(p, x=2, y=8 * _wave(p, 1, -0.25)),
        "head": _deg(p, x=-10 + 3 * _wave(p, 2, 0.3), y=-6 * _wave(p, 1, -0.25)),
        **_trailing(p, 14 * _wave(p, 1, 0.2), 10 * _wave(p, 2, 0.3)),
    }
    for side, way in zip(SIDES, (-1, 1), strict=True):
        swing = way * _wave(p, 1, -0.25)
        plan.arms[side] = plan.arms[side] + _arm(p, -4, 42 * swing, 58 + 14 * swing)
    return plan


def _jump(body: Body) -> Plan:
    p, leg, seconds = _phase(1.6), body.leg, 1.6
    plan = _standing(p, seconds, body)
    rise = 0.2 * body.height
    u = np.clip((p - 0.34) / 0.32, 0.0, 1.0)
    flight = 4 * rise * u * (1 - u)
    bend = _through(p, (0, -0.02), (0.24, -0.3), (0.34, -0.02), (0.66, -0.03), (0.78, -0.26), (1, -0.02))
    plan.hips = _rows(p, y=flight + leg * bend)
    tuck = 0.22 * leg * np.sin(np.pi * u) ** 2
    for side in SIDES:
        plan.soles = plan.soles | {side: np.deg2rad(_through(u, (0, 0), (0.2, 26), (0.6, 10), (1, 0)))}
        plan.ankles[side] = _rows(p, y=flight + tuck)
        reach = _through(p, (0, 0), (0.2, -40), (0.34, 0), (0.66, 0), (0.76, -16), (1, 0))
        raised = _through(p, (0, 0), (0.22, 0), (0.4, 1), (0.52, 1), (0.74, 0), (1, 0))
        hang = body.hang - raised * (body.hang + 0.8 * body.lift)
        elbow = np.deg2rad(12)
        plan.arms[side] = _columns(p, hang, np.deg2rad(reach), elbow, AHEAD * raised)
    lean = _through(p, (0, 0), (0.24, 1), (0.36, -0.15), (0.6, 0), (0.78, 0.8), (1, 0))
    plan.turns = {
        "hips": _deg(p, x=10 * lean),
        "spine": _deg(p, x=12 * lean),
        "head": _deg(p, x=-14 * lean),
        **_trailing(p, 0 * p, 16 * _through(p, (0, 0), (0.3, -0.6), (0.45, -1), (0.68, 1), (0.85, -0.3), (1, 0))),
    }
    return plan


def _greet(body: Body) -> Plan:
    p, seconds = _phase(2.4), 2.4
    plan = _standing(p, seconds, body)
    up = _through(p, (0, 0), (0.2, 1), (0.82, 1), (1, 0))
    sway = up * _wave(p, 5) * np.interp(p, (0.15, 0.25, 0.75, 0.85), (0, 1, 1, 0))
    plan.hips = _rows(p, 0.03 * body.leg * up, -0.025 * body.leg)
    plan.turns = {
        "spine": _deg(p, z=-4 * up),
        "head": _deg(p, y=-5 * up, z=-7 * up + 2 * sway),
        **_trailing(p, 10 * sway, 3 * up),
    }
    # The forearm swings between what is free beside the head and the horizontal.
    side, most = "right", body.lift
    upper, middle, swing = 0.4 * most, 0.55 * most, max(0.45 * most, np.deg2rad(15))
    plan.arms[side] = _columns(p, body.hang - up * (body.hang + upper), 0.0, np.deg2rad(12) * (1 - up), AHEAD * up)
    plan.forearms = plan.forearms | {side: up * (middle - upper) + swing * sway}
    return plan


def _turn(body: Body) -> Plan:
    steps, seconds = 8, 3.6
    p = _phase(seconds)
    plan = _standing(p, seconds, body)
    full = 2 * np.pi
    ease = _through(p, (0, 0.0), (0.1, 0.06), (0.9, 0.94), (1, 1.0))
    plan.turns = {
        "hips": _rows(p, y=full * ease),
        "head": _deg(p, y=14 * np.sin(np.pi * p) ** 2),
        **_trailing(p, -16 * np.sin(np.pi * p) ** 2, 3 * _wave(p, 2 * steps)),
    }
    # A foot stands up to about half a step's turn before the hips' own, or behind it.
    apart = float(np.linalg.norm((body.places["leftFoot"] - body.places["hips"])[[0, 2]]))
    low = _low(body, min(apart * 2 * np.sin(0.6 * np.pi / steps), 0.6 * body.leg))
    down = _through(p, (0, 0), (0.08, 1), (0.92, 1), (1, 0))
    plan.hips = _rows(p, y=0.015 * body.leg * (_wave(p, 2 * steps, 0.25) - 1) - low * down)
    for side, late in zip(SIDES, (0.0, 0.5), strict=True):
        # Each foot stands through half of a step, then turns to where the hips will be when it stands.
        beat = steps * p - late
        u = np.clip(2 * (beat - np.floor(beat)), 0.0, 1.0)
        planted = np.clip((np.floor(beat) + u * u * (3 - 2 * u)) / (steps - late), 0.0, 1.0)
        heading = full * np.where(beat < 0, 0.0, planted)
        stands = (beat < 0) | (heading >= full)
        plan.headings = plan.headings | {side: heading}
        rest = body.places[f"{side}Foot"] - body.places["hips"]
        x = rest[0] * (np.cos(heading) - 1) + rest[2] * np.sin(heading)
        z = rest[2] * (np.cos(heading) - 1) - rest[0] * np.sin(heading)
        plan.ankles[side] = _rows(p, x, 0.12 * body.leg * np.where(stands, 0, np.sin(np.pi * u) ** 2), z)
        plan.arms[side] = plan.arms[side] + _arm(p, -8 * np.sin(np.pi * p) ** 2, 6 * _wave(p, steps, late))
    return plan


GAITS: Mapping[str, Callable[[Body], Plan]] = {
    "idle": _idle,
    "walk": _walk,
    "run": _run,
    "jump": _jump,
    "wave": _greet,
    "turn": _turn,
}


def _trailing(p: Array, aside: Array, down: Array) -> dict[str, Array]:
    """Tails and ears, which come after what carries them."""
    ears = {name: _deg(p, x=-0.8 * down, z=way * down) for name, way in zip(TRAILING[:2], (1, -1), strict=True)}
    tails = {name: _deg(p, x=down, y=(0.9 + 0.3 * k) * aside) for k, name in enumerate(TRAILING[2:])}
    return ears | tails
