"""What an FBX file's curves do between their keys, which its importer takes for straight lines from pose to pose.

Programs keep the few keys that an animator set, with the slopes of the curves at them, or with a step from one to the
next; and of two keys half a turn apart the importer would go the shorter way. Curves get a key at each frame there.
"""

import array

import numpy as np

CONSTANT, CUBIC, NEXT = 0x2, 0x8, 0x100
"""Flags of a key: the curve stays until the next key, or goes there by slopes; one that stays has the next's value."""

SMOOTH, TCB, BROKEN = 0x100, 0x200, 0x800
"""Flags of a key that goes by slopes: programs find its slope by the keys beside it, unless it has one to each side."""

EVEN, CLAMPED, HELD = 0x2000, 0x1000, 0x4000
"""Flags of such a key: its slope is the way from the key before to the one after; it is flat beside one as high; it
never goes beyond them."""

AS_HIGH = 1e-4
"""By how much keys differ that are as high as each other."""

WEIGHTED = (0x01000000, 0x02000000)
"""Flags of a key: how far its slope, and the next key's, reach is stated, not a third of the way."""

WEIGHTS = 9999.0
"""Which a reach of the whole way is written as."""

TURN = 10.0
"""Degrees from one key to the next that a pose may go straight."""

LEAP = 30.0
"""Degrees a frame from which an angle leaps to another by which the pose is the same: there poses go straight."""

BENT = 1e-3
"""Share of all that a curve goes by which it may stray from straight lines."""

FRAME = 1.01
"""Frames between keys that stand as close as frames do."""

STEP = 0.01
"""Frames before a step that a curve has its old value at last."""

ROTATION = b"Lcl Rotation"

TRANSFORM = (b"Lcl Translation", ROTATION, b"Lcl Scaling")
"""What the importer gives keys at the same times."""

MOST_KEYS = 100_000
"""Of a curve: one with more frames is left as it is."""

_HALVINGS = 30


def follow_curves():
    """Have Blender's importer read takes whose curves have keys wherever they do not go straight.

    A curve that begins after others of the same thing has its first value until then. Of a take that a file says begins
    after its first key or ends before its last, the rest is left out. Without that importer, which is an add-on and may
    change, nothing is done.
    """
    try:
        from io_scene_fbx import import_fbx

        read = import_fbx.blen_read_animations
    except (ImportError, AttributeError):
        return
    # A process that reads several files wraps the importer's own once for each.
    read = getattr(read, "own", read)

    def with_keys(stack_template, layer_template, stacks, scene, *more):
        second = more[2] if len(more) > 2 else import_fbx.FBX_KTIME
        for (stack, _), layers in stacks.values():
            _follow(stack, layers, second, second / scene.render.fps)
        return read(stack_template, layer_template, stacks, scene, *more)

    with_keys.own = read
    import_fbx.blen_read_animations = with_keys


def _follow(stack, layers, second, frame):
    """Give the curves of a take's layers the keys that they need.

    `second` and `frame` are how long these last in the units of the file.
    """
    groups = [curves for _, items in layers.values() for nodes in items.values() for curves in _groups(nodes)]
    starts = [[_numbers(curve, b"KeyTime")[0] for _, _, curve in curves] for curves in groups]
    if not any(starts):
        return
    last = max(_numbers(curve, b"KeyTime")[-1] for curves in groups for _, _, curve in curves)
    span = _span(stack, min(map(min, filter(None, starts))), last, frame)
    for curves, began in zip(groups, starts, strict=True):
        leaps = [leap for _, turns, curve in curves if turns for leap in _leaps(curve, frame)]
        for (named, key), turns, curve in curves:
            (_, data), channel = named[key]
            named[key] = ((_keyed(curve, turns, min(began), span, leaps, (second, frame)), data), channel)


def _groups(nodes):
    """Curves that begin together of what moves a thing, ((where, key), whether it turns the thing, curve) of each."""
    found = {True: [], False: []}
    for curves, name in nodes.values():
        for key, ((curve, _), _) in curves.items():
            if len(_numbers(curve, b"KeyTime")):
                found[name in TRANSFORM].append(((curves, key), name == ROTATION, curve))
    return [found[True], *([other] for other in found[False])]


def _leaps(curve, frame):
    """Between which times an angle leaps."""
    times, values = np.array(_numbers(curve, b"KeyTime")), np.array(_numbers(curve, b"KeyValueFloat"), np.float64)
    if len(times) != len(values):
        return []
    leaps = np.flatnonzero(np.abs(np.diff(values)) > LEAP * np.maximum(np.diff(times) / frame, 1.0))
    return [(times[k], times[k + 1]) for k in leaps]


def _numbers(element, name):
    """The numbers that an element has below it by a name; none where it has none."""
    return next((below.props[0] for below in element.elems if below.id == name), ())


def _span(stack, first, last, frame):
    """When a take begins and ends, where that is surely not with its first key and its last; else None."""
    stated = {item.props[0]: item.props[-1] for group in stack.elems for item in group.elems if item.props}
    begin, end = (stated.get(name, 0) for name in (b"LocalStart", b"LocalStop"))
    begin, end = max(begin, first), min(end, last)
    shorter = begin > first + FRAME * frame or end < last - FRAME * frame
    return (begin, end) if shorter and end - begin > frame else None


def _keyed(curve, turns, first, span, leaps, lasting):
    """A curve with the keys that it needs, itself where that are those that it has."""
    times, values = np.array(_numbers(curve, b"KeyTime")), np.array(_numbers(curve, b"KeyValueFloat"), np.float64)
    if len(times) != len(values) or (np.diff(times) <= 0).any():
        return curve
    second, frame = lasting
    way = _Way(curve, times, values, second)
    between = _between(way, turns, frame)
    for begin, end in leaps:
        between = between[(between <= begin) | (between >= end)]
    more = [between, [first], [] if span is None else span]
    found = np.union1d(times, np.concatenate(more).astype(np.int64))
    if span is not None:
        found = found[(found >= span[0]) & (found <= span[1])]
    if len(found) == len(times) and (found == times).all():
        return curve
    own = {b"KeyTime": array.array("q", found.tolist()), b"KeyValueFloat": array.array("f", way.at(found).tolist())}
    elements = [
        below._replace(props=[own[below.id], *below.props[1:]]) if below.id in own else below for below in curve.elems
    ]
    return curve._replace(elems=elements)


def _between(way, turns, frame):
    """Times between keys at which a curve needs some too."""
    times, values = way.times, way.values
    long = np.diff(times) > FRAME * frame
    if not long.any() or (times[-1] - times[0]) / frame > MOST_KEYS:
        return np.empty(0)
    frames = np.rint(np.arange(np.ceil(times[0] / frame), times[-1] / frame) * frame)
    piece = way.piece(frames)
    frames, piece = frames[long[piece]], piece[long[piece]]
    strays = np.zeros(len(long), bool)
    off = np.abs(way.at(frames) - np.interp(frames, times, values)) > BENT * np.ptp(values)
    strays[piece[off]] = True
    steps = way.constant & (values[1:] != values[:-1])
    strays |= steps | (turns & (np.abs(np.diff(values)) > TURN))
    before = (times[1:] - STEP * frame)[steps & ~way.early]
    after = (times[:-1] + STEP * frame)[steps & way.early]
    return np.concatenate([frames[strays[piece]], before, after])


class _Way:
    """Where a curve goes through its keys.

    Attributes:
        times, values: of its keys (K,).
        constant, early: which of the ways between them (K - 1,) are steps, and which of these at their beginning.
    """

    def __init__(self, curve, times, values, second):
        self.times, self.values, self._seconds = times, values, np.diff(times) / second
        count = len(times) - 1
        counts, flags = (np.array(_numbers(curve, name), np.int64) for name in (b"KeyAttrRefCount", b"KeyAttrFlags"))
        shapes = np.frombuffer(bytes(_numbers(curve, b"KeyAttrDataFloat")), np.float32)
        if len(shapes) != 4 * len(flags) or len(counts) != len(flags) or counts.sum() < len(times):
            flags, counts, shapes = np.zeros(1, np.int64), np.array([len(times)]), np.zeros(4, np.float32)
        of = np.repeat(np.arange(len(flags)), counts)[: len(times)]
        flags, shapes = flags[of], shapes.reshape(-1, 4)[of]
        packed = np.ascontiguousarray(shapes[:, 2]).view(np.uint32).astype(np.int64)
        stated = np.stack([packed & 0xFFFF, packed >> 16], axis=1) / WEIGHTS
        self._reach = np.where(np.stack([flags & flag != 0 for flag in WEIGHTED], axis=1), stated, 1 / 3)[:-1]
        smooth = (flags & (SMOOTH | TCB) != 0) & (flags & BROKEN == 0)
        slopes = self._smooth(flags)
        self._slopes = np.stack(
            [np.where(smooth[k:][:count], slopes[k:][:count], shapes[:count, k]) for k in (0, 1)], axis=1
        )
        flags = flags[:-1]
        self.constant = flags & CONSTANT != 0
        self.early = self.constant & (flags & NEXT != 0)
        self._cubic = flags & CUBIC != 0

    def _smooth(self, flags):
        """The slope at each key by those beside it, flat at both ends."""
        found = np.zeros(len(flags))
        if len(flags) < 3:
            return found
        rise, run, flags = np.diff(self.values), self._seconds, flags[1:-1]
        whole = (rise[:-1] + rise[1:]) / (run[:-1] + run[1:])
        crossed = (rise[:-1] / run[:-1] * run[1:] + rise[1:] / run[1:] * run[:-1]) / (run[:-1] + run[1:])
        slope = np.where(flags & EVEN != 0, whole, (whole + crossed) / 2)
        flat = np.minimum(np.abs(rise[:-1]), np.abs(rise[1:])) <= AS_HIGH
        slope[flat & (flags & CLAMPED != 0)] = 0.0
        most = [np.sign(slope) * rise[:-1] / (self._reach[:-1, 1] * run[:-1])]
        most += [np.sign(slope) * rise[1:] / (self._reach[1:, 0] * run[1:])]
        held = np.sign(slope) * np.clip(np.abs(slope), 0.0, np.maximum(np.min(most, axis=0), 0.0))
        found[1:-1] = np.where(flags & HELD != 0, held, slope)
        return found

    def piece(self, times):
        """Which of the ways between keys holds each of some times, the first or the last outside of them."""
        return np.clip(np.searchsorted(self.times, times, side="right") - 1, 0, max(len(self.times) - 2, 0))

    def at(self, times):
        """Values at times: before the first key and after the last those of these."""
        found = np.interp(times, self.times, self.values)
        if len(self.times) < 2:
            return found
        k = self.piece(times)
        share = (times - self.times[k]) / np.diff(self.times)[k]
        within = (share > 0) & (share < 1)
        held = np.where(self.early[k], self.values[k + 1], self.values[k])
        found = np.where(within & self.constant[k], held, found)
        curved = np.flatnonzero(within & self._cubic[k] & ~self.constant[k])
        found[curved] = self._curved(k[curved], share[curved])
        return found

    def _curved(self, k, share):
        """Values of curves at shares of the ways k."""
        (right, left), rise = self._reach[k].T, self._slopes[k] * self._reach[k] * self._seconds[k][:, None]
        low, high = np.zeros(len(k)), np.ones(len(k))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            before = _bezier(0.0, right, 1 - left, 1.0, middle) < share
            low, high = np.where(before, middle, low), np.where(before, high, middle)
        start, end = self.values[k], self.values[k + 1]
        return _bezier(start, start + rise[:, 0], end - rise[:, 1], end, (low + high) / 2)


def _bezier(first, second, third, last, s):
    return (1 - s) ** 3 * first + 3 * (1 - s) ** 2 * s * second + 3 * (1 - s) * s**2 * third + s**3 * last
