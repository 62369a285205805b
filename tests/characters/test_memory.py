"""The memory that readers ask for: so many bytes for each thing that a file holds, before it is read."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from specsia_build import memory
from specsia_build.characters.character import Entry
from specsia_build.characters.formats import FORMATS
from specsia_build.characters.images import as_texture, load_texture, with_opacity
from specsia_build.characters.motions import read_motions
from specsia_build.characters.polygons import triangulate
from specsia_build.characters.read import read_animated
from tests.characters.gltf.writer import GltfWriter, draco, meshopted
from tests.characters.test_images import UASTC, encoded
from tests.characters.test_motions import source
from tests.characters.test_obj import ARROW, SQUARE
from tests.characters.test_ply import LIST, text_ply
from tests.characters.test_ply import SQUARE as CORNERS
from tests.characters.test_shared import rich


def asked(task: Callable[[], object]) -> int:
    """Bytes of memory that a task asks for, one after the other or at once."""
    with patch.object(memory, "ask", wraps=memory.ask) as ask:
        task()
    return sum(call.args[0] for call in ask.call_args_list)


def by_uri() -> str:
    """A glTF file with a name beyond ASCII, and a buffer whose letters are escaped."""
    writer = GltfWriter()
    writer.mesh_node(name="é")
    text = base64.b64encode(writer.binary).decode().replace("A", "%41")
    writer.data["buffers"] = [{"byteLength": len(writer.binary), "uri": f"data:;base64,{text}"}]
    return json.dumps(writer.data, ensure_ascii=False)


STRIPS = text_ply(CORNERS, ["4 0 1 3 2"], face=LIST).replace("element face", "element tristrips")

FILES: dict[str, tuple[str | bytes, int]] = {
    "a.obj": (SQUARE + "o a\ng b\nf 1/1 2/2 3/3 4/4\nf 1/1 2/2 3/3\n", 5756),
    "wide.obj": ((SQUARE + "f 1 2 3\n").encode("utf-16"), 4348),
    "even.ply": (text_ply(CORNERS, ["3 0 1 2", "3 0 2 3"]), 2079),
    "uneven.ply": (text_ply(CORNERS, ["3 0 1 2", "4 0 1 2 3"]), 3097),
    "strips.ply": (STRIPS, 2798),
    "rich.glb": (rich().glb(), 339_058),
    "draco.glb": (draco(rich().glb()), 386_522),
    "meshopt.glb": (meshopted(rich().glb()), 430_230),
    "uri.gltf": (by_uri(), 20_306),
}


@pytest.mark.parametrize("name", FILES)
def test_files(tmp_path: Path, name: str) -> None:
    content, expected = FILES[name]
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = asked(lambda: read_animated(Entry("a", FORMATS[path.suffix], path)))
    # Another version of a packer may need a few bytes more.
    assert found == pytest.approx(expected, abs=2000 if name in ("draco.glb", "meshopt.glb") else 0)


def test_motions(tmp_path: Path) -> None:
    assert asked(lambda: read_motions(source(tmp_path, ".bvh"))) == 37_668


@pytest.mark.parametrize(
    ("kind", "expected"), [("PNG", 420), ("WEBP", 700), ("JPEG2000", 980), ("KTX2", 1024)]
)
def test_images(kind: str, expected: int) -> None:
    data = UASTC if kind == "KTX2" else encoded(Image.new("RGB", (5, 7)), kind)
    assert asked(lambda: load_texture(data, "a")) == expected


def test_textures() -> None:
    small, large = np.zeros((3, 5, 4), np.uint8), np.zeros((11, 2, 4), np.uint8)
    assert asked(lambda: as_texture(with_opacity(small, large))) == 4 * 11 * 5 + 7 * 11 * 5


def test_polygons() -> None:
    points = np.column_stack([np.array(ARROW, float), np.zeros(len(ARROW))])
    corners, first = np.arange(6), np.array([0, 6])
    assert asked(lambda: triangulate(points, corners, first, np.ones(1, bool))) == 3620
