"""Compiled visibility: which face is nearest at each pixel's centre, and at each sample of the pixels that need more.

Screen coordinates are integers in 1/256 pixel, so that edge functions are exact and neighbouring faces neither overlap
nor leave cracks. A face is inside where its three edge functions are not negative; ties in depth go to the lower index.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled, inlined
from specsia_build.rendering.prepare import BLEND, INVISIBLE, MASK, OPAQUE
from specsia_build.rendering.shading import opacity_at

SUBPIXEL_BITS = 8
SUBPIXEL = 1 << SUBPIXEL_BITS
HALF = SUBPIXEL // 2

MAX_COORDINATE = 1 << 20
"""Largest screen coordinate, in 1/256 pixel, for which the sample loop's 32-bit products are exact."""

EXACT_FLOAT = 1 << 23
"""Reach of an edge function within a pixel up to which float32 sums of its parts are exact: all stay below 2^24."""

NEAR_EDGE = 0.02
"""Units by which an edge may lie behind the surface at its pixel's centre and still be looked at closely."""

NO_FACE = -1


SAMPLES = 55
"""Samples of a pixel that is not covered by one face: a Fibonacci lattice, whose half-plane discrepancy is the least
known for its size. An odd number, so that no straight edge ties at half coverage."""

LANES = 64
"""`SAMPLES` rounded up to whole vector registers; the rest repeats the centre and is not counted."""


def _lattice() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    i = np.arange(SAMPLES)
    x = (i / SAMPLES + 0.5) % 1.0 - 0.5
    y = (i * 34 % SAMPLES / SAMPLES + 0.5) % 1.0 - 0.5
    order = np.argsort(np.hypot(x, y), kind="stable")
    offsets = np.zeros((2, LANES), np.int32)
    offsets[:, :SAMPLES] = np.rint(np.stack([x, y])[:, order] * SUBPIXEL)
    return offsets[0], offsets[1]


SAMPLE_X, SAMPLE_Y = _lattice()
"""(LANES,) int32 offsets of the samples from the pixel's centre in 1/256 pixel, the centre itself first."""


@compiled
def project(vertices, basis, pixels_per_unit, half):  # type: ignore[no-untyped-def]
    """Screen x, y in 1/256 pixel (V,) int64 and depth (V,) float32 of vertices seen by an orthographic camera."""
    count = len(vertices)
    sx, sy, depth = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.float32)
    for i in range(count):
        x, y, z = np.float64(vertices[i, 0]), np.float64(vertices[i, 1]), np.float64(vertices[i, 2])
        u = basis[0, 0] * x + basis[0, 1] * y + basis[0, 2] * z
        v = basis[1, 0] * x + basis[1, 1] * y + basis[1, 2] * z
        sx[i] = int(np.floor((u * pixels_per_unit + half) * SUBPIXEL + 0.5))
        sy[i] = int(np.floor((half - v * pixels_per_unit) * SUBPIXEL + 0.5))
        depth[i] = basis[2, 0] * x + basis[2, 1] * y + basis[2, 2] * z
    return sx, sy, depth


@compiled
def face_sides(sx, sy, faces, closed):  # type: ignore[no-untyped-def]
    """Per face: 1 seen from outside, -1 from inside, 0 edge on; then the faces to draw, those inside a closed part left
    out."""
    count = len(faces)
    facing = np.empty(count, np.int8)
    drawn = np.empty(count, np.int32)
    n = 0
    for f in range(count):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        area = (sx[b] - sx[a]) * (sy[c] - sy[a]) - (sy[b] - sy[a]) * (sx[c] - sx[a])
        facing[f] = 1 if area < 0 else (-1 if area > 0 else 0)
        if area < 0 or (area > 0 and not closed[f]):
            drawn[n] = f
            n += 1
    return facing, drawn[:n]


@compiled
def fill(sx, sy, faces, closed, size):  # type: ignore[no-untyped-def]
    """(size, size) bool, the pixels whose centre some face covers; faces inside a closed part are left out."""
    out = np.zeros((size, size), np.bool_)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, bx, by, cx, cy = sx[a], sy[a], sx[b], sy[b], sx[c], sy[c]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0 or (area > 0 and closed[f]):
            continue
        x0 = max(0, (min(ax, bx, cx) + HALF - 1) >> SUBPIXEL_BITS)
        x1 = min(size - 1, (max(ax, bx, cx) - HALF) >> SUBPIXEL_BITS)
        y0 = max(0, (min(ay, by, cy) + HALF - 1) >> SUBPIXEL_BITS)
        y1 = min(size - 1, (max(ay, by, cy) - HALF) >> SUBPIXEL_BITS)
        if x1 < x0 or y1 < y0:
            continue
        if area < 0:
            bx, by, cx, cy = cx, cy, bx, by
        for y in range(y0, y1 + 1):
            py = (y << SUBPIXEL_BITS) + HALF
            for x in range(x0, x1 + 1):
                if out[y, x]:
                    continue
                px = (x << SUBPIXEL_BITS) + HALF
                if (
                    (bx - ax) * (py - ay) - (by - ay) * (px - ax) >= 0
                    and (cx - bx) * (py - by) - (cy - by) * (px - bx) >= 0
                    and (ax - cx) * (py - cy) - (ay - cy) * (px - cx) >= 0
                ):
                    out[y, x] = True
    return out


@compiled
def draw_centres(sx, sy, depth, surface, textures, alpha_class, drawn, tested, nearest, ids):  # type: ignore[no-untyped-def]
    """Draw faces of one alpha class (`tested`: MASK, else OPAQUE) at pixel centres into `nearest` and `ids`."""
    size = ids.shape[0]
    wanted = MASK if tested else OPAQUE
    faces = surface.faces
    for f in drawn:
        if alpha_class[f] != wanted:
            continue
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, bx, by, cx, cy = sx[a], sy[a], sx[b], sy[b], sx[c], sy[c]
        x0 = max(0, (min(ax, bx, cx) + HALF - 1) >> SUBPIXEL_BITS)
        x1 = min(size - 1, (max(ax, bx, cx) - HALF) >> SUBPIXEL_BITS)
        y0 = max(0, (min(ay, by, cy) + HALF - 1) >> SUBPIXEL_BITS)
        y1 = min(size - 1, (max(ay, by, cy) - HALF) >> SUBPIXEL_BITS)
        if x1 < x0 or y1 < y0:
            continue
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area < 0:
            b, c = c, b
            bx, by, cx, cy = cx, cy, bx, by
            area = -area
        px, py = x0 * SUBPIXEL + HALF, y0 * SUBPIXEL + HALF
        # Steps of the edge functions per pixel; exact in float64.
        ax_ab, ay_ab = np.float64((ay - by) * SUBPIXEL), np.float64((bx - ax) * SUBPIXEL)
        ax_bc, ay_bc = np.float64((by - cy) * SUBPIXEL), np.float64((cx - bx) * SUBPIXEL)
        ax_ca, ay_ca = np.float64((cy - ay) * SUBPIXEL), np.float64((ax - cx) * SUBPIXEL)
        e_ab = np.float64((bx - ax) * (py - ay) - (by - ay) * (px - ax))
        e_bc = np.float64((cx - bx) * (py - by) - (cy - by) * (px - bx))
        e_ca = np.float64((ax - cx) * (py - cy) - (ay - cy) * (px - cx))
        inverse = 1.0 / area
        za, zb, zc = np.float64(depth[a]), np.float64(depth[b]), np.float64(depth[c])
        zx = np.float32((za * ax_bc + zb * ax_ca + zc * ax_ab) * inverse)
        zy = (za * ay_bc + zb * ay_ca + zc * ay_ab) * inverse
        z_row = (za * e_bc + zb * e_ca + zc * e_ab) * inverse
        i_ab, i_bc, i_ca = -1.0 / ax_ab, -1.0 / ax_bc, -1.0 / ax_ca
        for y in range(y0, y1 + 1):
            # The span of the row inside all three edges; a quotient may be one off, which the edge itself corrects.
            first, last = 0, x1 - x0
            for k in range(3):
                e = e_ab if k == 0 else (e_bc if k == 1 else e_ca)
                step = ax_ab if k == 0 else (ax_bc if k == 1 else ax_ca)
                cross = e * (i_ab if k == 0 else (i_bc if k == 1 else i_ca))
                if step > 0:
                    if e < 0:
                        i = int(cross)
                        while e + i * step < 0:
                            i += 1
                        first = max(first, i)
                elif step < 0:
                    if e < 0:
                        last = -1
                    else:
                        i = int(cross) + 1
                        while e + i * step < 0:
                            i -= 1
                        last = min(last, i)
                elif e < 0:
                    last = -1
            z = np.float32(z_row)
            if tested:
                for i in range(first, last + 1):
                    zi = z + zx * np.float32(i)
                    if zi < nearest[y, x0 + i]:
                        alpha = opacity_at(f, x0 + i + 0.5, y + 0.5, sx, sy, surface, textures)
                        if alpha >= surface.cutoff[surface.material[f]]:
                            nearest[y, x0 + i] = zi
                            ids[y, x0 + i] = f
            else:
                for i in range(first, last + 1):
                    zi = z + zx * np.float32(i)
                    if zi < nearest[y, x0 + i]:
                        nearest[y, x0 + i] = zi
                        ids[y, x0 + i] = f
            e_ab += ay_ab
            e_bc += ay_bc
            e_ca += ay_ca
            z_row += zy


@compiled
def _walk(x0, y0, z0, x1, y1, z1, nearest, marked):  # type: ignore[no-untyped-def]
    """Mark every pixel that a segment touches and that no surface clearly hides."""
    size = marked.shape[0]
    if y0 > y1:
        x0, y0, z0, x1, y1, z1 = x1, y1, z1, x0, y0, z0
    top, bottom = max(0, y0 >> SUBPIXEL_BITS), min(size - 1, y1 >> SUBPIXEL_BITS)
    flat = y1 == y0
    slope = 0.0 if flat else (x1 - x0) / (y1 - y0)
    length = max(abs(x1 - x0), y1 - y0, 1)
    vertical = (y1 - y0) >= abs(x1 - x0)
    for row in range(top, bottom + 1):
        from_y, to_y = max(y0, row << SUBPIXEL_BITS), min(y1, (row + 1) << SUBPIXEL_BITS)
        if flat:
            xa, xb = np.float64(min(x0, x1)), np.float64(max(x0, x1))
        else:
            xs, xe = x0 + slope * (from_y - y0), x0 + slope * (to_y - y0)
            xa, xb = min(xs, xe), max(xs, xe)
        left, right = max(0, int(xa - 1) >> SUBPIXEL_BITS), min(size - 1, int(xb + 1) >> SUBPIXEL_BITS)
        for column in range(left, right + 1):
            if marked[row, column]:
                continue
            if vertical:
                along = (0.5 * (from_y + to_y) - y0) / length
            else:
                along = abs((column << SUBPIXEL_BITS) + HALF - x0) / length
            z = z0 + (z1 - z0) * min(1.0, along)
            if z <= nearest[row, column] + NEAR_EDGE:
                marked[row, column] = True


@compiled
def mark_edges(sx, sy, depth, edges, facing, closed, alpha_class, nearest, marked):  # type: ignore[no-untyped-def]
    """Mark pixels under edges where the picture may change inside a pixel: outlines, borders and jumps of colour."""
    for e in range(len(edges.ends)):
        f, g = edges.sides[e, 0], edges.sides[e, 1]
        seen_f = alpha_class[f] != INVISIBLE and (facing[f] > 0 or not closed[f])
        if g >= 0:
            seen_g = alpha_class[g] != INVISIBLE and (facing[g] > 0 or not closed[g])
            if not (seen_f or seen_g):
                continue
            if facing[f] == facing[g] and not edges.jump[e]:
                continue
        a, b = edges.ends[e, 0], edges.ends[e, 1]
        _walk(sx[a], sy[a], depth[a], sx[b], sy[b], depth[b], nearest, marked)


@compiled
def mark_faces(sx, sy, depth, faces, alpha_class, drawn, nearest, marked):  # type: ignore[no-untyped-def]
    """Mark every pixel that a MASK or BLEND face may touch in front of what is drawn there."""
    size = marked.shape[0]
    for f in drawn:
        if alpha_class[f] != MASK and alpha_class[f] != BLEND:
            continue
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        front = min(depth[a], depth[b], depth[c])
        x0, x1 = min(sx[a], sx[b], sx[c]) >> SUBPIXEL_BITS, max(sx[a], sx[b], sx[c]) >> SUBPIXEL_BITS
        y0, y1 = min(sy[a], sy[b], sy[c]) >> SUBPIXEL_BITS, max(sy[a], sy[b], sy[c]) >> SUBPIXEL_BITS
        for y in range(max(0, y0), min(size - 1, y1) + 1):
            for x in range(max(0, x0), min(size - 1, x1) + 1):
                if front <= nearest[y, x] + NEAR_EDGE:
                    marked[y, x] = True


@compiled
def number_marked(marked, box):  # type: ignore[no-untyped-def]
    """(H, W) int32 slot of each marked pixel or -1, and (S,) int32 flat pixel index of each slot."""
    size = marked.shape[0]
    slots = np.full((size, size), -1, np.int32)
    n = 0
    for y in range(box[0], box[1]):
        for x in range(box[2], box[3]):
            n += marked[y, x]
    pixels = np.empty(n, np.int32)
    n = 0
    for y in range(box[0], box[1]):
        for x in range(box[2], box[3]):
            if marked[y, x]:
                slots[y, x] = n
                pixels[n] = y * size + x
                n += 1
    return slots, pixels


@inlined
def _owned(dx, minus_dy):  # type: ignore[no-untyped-def]
    """0 if points on an edge of that direction are the face's, 1 if the neighbour's, who walks it the other way."""
    return 0 if minus_dy > 0 or (minus_dy == 0 and dx > 0) else 1


@compiled
def draw_samples(  # type: ignore[no-untyped-def]
    sx, sy, depth, surface, textures, alpha_class, drawn, wanted, slots, floor, nearest, ids
):
    """Draw the faces of one alpha class at all samples of the numbered pixels.

    `nearest` (S, LANES) float32 and `ids` (S, LANES) int32 are updated where a face is nearer. `floor` (S, LANES), used
    for BLEND only, is the depth that a face must lie behind. A sample on the edge between two BLEND faces hits only one
    of them; it would else count as two layers.
    """
    size = slots.shape[0]
    faces = surface.faces
    # One-dimensional, because a row of a matrix costs more to take than to look at.
    near, who, back = nearest.reshape(-1), ids.reshape(-1), floor.reshape(-1)
    fx, fy = SAMPLE_X.astype(np.float32), SAMPLE_Y.astype(np.float32)
    for f in drawn:
        if alpha_class[f] != wanted:
            continue
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, bx, by, cx, cy = sx[a], sy[a], sx[b], sy[b], sx[c], sy[c]
        x0 = max(0, min(ax, bx, cx) >> SUBPIXEL_BITS)
        x1 = min(size - 1, max(ax, bx, cx) >> SUBPIXEL_BITS)
        y0 = max(0, min(ay, by, cy) >> SUBPIXEL_BITS)
        y1 = min(size - 1, max(ay, by, cy) >> SUBPIXEL_BITS)
        started = False
        area = np.int64(0)
        for y in range(y0, y1 + 1):
            py = (y << SUBPIXEL_BITS) + HALF
            for x in range(x0, x1 + 1):
                slot = slots[y, x]
                if slot < 0:
                    continue
                if not started:
                    started = True
                    own_ab, own_bc, own_ca = 0, 0, 0
                    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
                    if area < 0:
                        b, c = c, b
                        bx, by, cx, cy = cx, cy, bx, by
                        area = -area
                    reach_ab = (abs(by - ay) + abs(bx - ax)) * HALF
                    reach_bc = (abs(cy - by) + abs(cx - bx)) * HALF
                    reach_ca = (abs(ay - cy) + abs(ax - cx)) * HALF
                    inverse = 1.0 / area
                    za, zb, zc = np.float64(depth[a]), np.float64(depth[b]), np.float64(depth[c])
                    zx = np.float32((za * (by - cy) + zb * (cy - ay) + zc * (ay - by)) * inverse)
                    zy = np.float32((za * (cx - bx) + zb * (ax - cx) + zc * (bx - ax)) * inverse)
                    u_ab, v_ab = np.int32(ay - by), np.int32(bx - ax)
                    u_bc, v_bc = np.int32(by - cy), np.int32(cx - bx)
                    u_ca, v_ca = np.int32(cy - ay), np.int32(ax - cx)
                    small = max(reach_ab, reach_bc, reach_ca) <= EXACT_FLOAT
                    fu_ab, fv_ab = np.float32(u_ab), np.float32(v_ab)
                    fu_bc, fv_bc = np.float32(u_bc), np.float32(v_bc)
                    fu_ca, fv_ca = np.float32(u_ca), np.float32(v_ca)
                    if wanted == BLEND:
                        own_ab, own_bc, own_ca = _owned(v_ab, u_ab), _owned(v_bc, u_bc), _owned(v_ca, u_ca)
                px = (x << SUBPIXEL_BITS) + HALF
                e_ab = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
                if e_ab < -reach_ab:
                    continue
                e_bc = (cx - bx) * (py - by) - (cy - by) * (px - bx)
                if e_bc < -reach_bc:
                    continue
                e_ca = (ax - cx) * (py - cy) - (ay - cy) * (px - cx)
                if e_ca < -reach_ca:
                    continue
                z = np.float32((za * e_bc + zb * e_ca + zc * e_ab) * inverse)
                # Beyond its reach an edge function is positive at all samples, so it may be cut to 32 bits.
                i_ab, i_bc, i_ca = (
                    np.int32(min(e_ab, reach_ab)),
                    np.int32(min(e_bc, reach_bc)),
                    np.int32(min(e_ca, reach_ca)),
                )
                if wanted == BLEND:
                    i_ab, i_bc, i_ca = np.int32(i_ab - own_ab), np.int32(i_bc - own_bc), np.int32(i_ca - own_ca)
                base = slot * LANES
                if wanted == OPAQUE and small:
                    f_ab, f_bc, f_ca = np.float32(i_ab), np.float32(i_bc), np.float32(i_ca)
                    for s in range(LANES):
                        p_ab = f_ab + fu_ab * fx[s] + fv_ab * fy[s]
                        p_bc = f_bc + fu_bc * fx[s] + fv_bc * fy[s]
                        p_ca = f_ca + fu_ca * fx[s] + fv_ca * fy[s]
                        zs = z + zx * fx[s] + zy * fy[s]
                        old_depth, old_face = near[base + s], who[base + s]
                        hit = (p_ab >= 0) & (p_bc >= 0) & (p_ca >= 0) & (zs < old_depth)
                        near[base + s] = zs if hit else old_depth
                        who[base + s] = f if hit else old_face
                elif wanted == OPAQUE:
                    for s in range(LANES):
                        s_ab = np.int32(i_ab + u_ab * SAMPLE_X[s] + v_ab * SAMPLE_Y[s])
                        s_bc = np.int32(i_bc + u_bc * SAMPLE_X[s] + v_bc * SAMPLE_Y[s])
                        s_ca = np.int32(i_ca + u_ca * SAMPLE_X[s] + v_ca * SAMPLE_Y[s])
                        zs = z + zx * fx[s] + zy * fy[s]
                        hit = ((s_ab | s_bc | s_ca) >= 0) & (zs < near[base + s])
                        near[base + s] = zs if hit else near[base + s]
                        who[base + s] = f if hit else who[base + s]
                else:
                    cutoff = surface.cutoff[surface.material[f]]
                    for s in range(LANES):
                        s_ab = np.int32(i_ab + u_ab * SAMPLE_X[s] + v_ab * SAMPLE_Y[s])
                        s_bc = np.int32(i_bc + u_bc * SAMPLE_X[s] + v_bc * SAMPLE_Y[s])
                        s_ca = np.int32(i_ca + u_ca * SAMPLE_X[s] + v_ca * SAMPLE_Y[s])
                        zs = z + zx * fx[s] + zy * fy[s]
                        if (s_ab | s_bc | s_ca) < 0 or zs >= near[base + s]:
                            continue
                        if wanted == MASK:
                            across = x + 0.5 + SAMPLE_X[s] / SUBPIXEL
                            down = y + 0.5 + SAMPLE_Y[s] / SUBPIXEL
                            if opacity_at(f, across, down, sx, sy, surface, textures) < cutoff:
                                continue
                        elif zs <= back[base + s]:
                            continue
                        near[base + s] = zs
                        who[base + s] = f
