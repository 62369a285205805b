"""Write a GLB file: lists of entries, and arrays in one buffer."""

import json
import struct
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

VERTICES, INDICES = 34962, 34963  # Targets of buffer views: attributes of vertices, and their indices

_COMPONENTS = {"<f4": 5126, "<u2": 5123, "<u4": 5125}
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


class GlbWriter:
    """Collects the entries of a glTF document, by list, and the bytes of its buffer."""

    def __init__(self) -> None:
        self.lists: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, key: str, **entry: Any) -> int:
        """Append an entry to the list `key`, without values that are None; returns its index."""
        self.lists[key].append({name: value for name, value in entry.items() if value is not None})
        return len(self.lists[key]) - 1

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append bytes to the buffer; returns the index of their buffer view."""
        padding = -len(data) % 4
        self._chunks.append(data + bytes(padding))
        place = {"byteOffset": self._size, "byteLength": len(data)}
        index = self.add("bufferViews", buffer=0, **place, target=target)
        self._size += len(data) + padding
        return index

    def accessor(self, values: NDArray[Any], target: int | None = None, *, bounds: bool = False) -> int:
        """Append an array (N,) or (N, W) of float32, uint16 or uint32; returns the index of its accessor.

        glTF demands `bounds` of positions and of the times of keys.
        """
        rows = np.ascontiguousarray(values[:, None] if values.ndim == 1 else values)
        view = self.view(rows.tobytes(), target) if len(rows) else None
        kind: dict[str, Any] = {"componentType": _COMPONENTS[rows.dtype.str], "type": _TYPES[rows.shape[1]]}
        if bounds:
            kind |= {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        return self.add("accessors", bufferView=view, count=len(rows), **kind)

    def sparse(self, rows: NDArray[Any], values: NDArray[np.float32], count: int) -> int:
        """Append an array (count, 3) of zeros but for some rows (R,) with values (R, 3)."""
        sparse = None
        if len(rows):
            indices = {"bufferView": self.view(rows.astype("<u4").tobytes()), "componentType": 5125}
            stored = {"bufferView": self.view(values.astype("<f4").tobytes())}
            sparse = {"count": len(rows), "indices": indices, "values": stored}
        edges = values.astype("<f4") if len(rows) == count else np.vstack([values, np.zeros(3)]).astype("<f4")
        bounds = {"min": edges.min(axis=0).tolist(), "max": edges.max(axis=0).tolist()}
        return self.add("accessors", componentType=5126, type="VEC3", count=count, sparse=sparse, **bounds)

    def encode(self, **root: Any) -> bytes:
        """The file, with further members of its root object."""
        buffers = [{"byteLength": self._size}] if self._size else []
        document = {**root, **self.lists, "buffers": buffers}
        text = json.dumps({key: value for key, value in document.items() if value != []}).encode()
        text += b" " * (-len(text) % 4)
        length = 12 + 8 + len(text) + (8 + self._size if self._size else 0)
        head = struct.pack("<4sIII4s", b"glTF", 2, length, len(text), b"JSON") + text
        if self._size:
            head += struct.pack("<I4s", self._size, b"BIN\0")
        return b"".join([head, *self._chunks])
