"""Faults that damage the files of a sound character in one way each, at random."""

import json
import re
import struct
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from tests.characters.dae import square
from tests.characters.fbx.writer import thing
from tests.characters.gltf.writer import opened, rewritten
from tests.hostile import bombs
from tests.hostile.sound import SOUND, Content, Files, Link, Special, fbx_files

NUMBERS: tuple[Any, ...] = (-1, 0, 1, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 10**30, 0.5, -1e308, 1e-320)
JUNK: tuple[Any, ...] = (None, True, "7", "", [], {}, [[]], {"a": 1}, float("nan"), float("inf"), 10**400)
WORDS = ("-1", "0", "4294967295", "9" * 400, "1e999", "-inf", "nan", "1e-320", "0x10", "1_0", "", "½", "\0")

OUTSIDE = "../../outside"
"""The folder of things that are nobody's business, as seen from a character's own."""

# fmt: off
NAMES = (
    f"{OUTSIDE}/secret.png", "%2e%2e/%2e%2e/outside/secret.png", "..\\..\\outside\\secret.png", "/etc/passwd",
    "/dev/zero",
    "C:\\secret.png", "\\\\server\\share\\secret.png", "file:///etc/passwd", "http://127.0.0.1:9/secret.png",
    "data:image/png;base64,AAAA", "data:;base64," + "A" * 3001, "\x1b]0;owned\x07\x1b[2J.png",
    "line\nbreak.png",
    "\u202egnp.exe", "\ud800.png", "nul\0byte.png", "n" * 300 + ".png", "d/" * 3000 + "x.png",
    ".", "..", "", " ", "CON", "-rf", "~root", "$HOME", "{0}%s%n",
)
"""Names that lead elsewhere, steer the terminal or cannot be one."""

FILE_NAMES = (
    b"\x1b[31m", b"\n", b"\xff\xfe", "\u202e".encode(), b" ", b"'\"", b"%s{0}", b"n" * 200, b"e\xcc\x81",
)  # fmt: skip
"""Endings of the name of a character's own file."""

TARGETS = (
    f"{OUTSIDE}/secret.png", f"{OUTSIDE}/secret.obj", f"{OUTSIDE}/secret.glb", OUTSIDE, "/etc/passwd",
    "/dev/zero", "/dev/full", "/dev/tty", "/proc/self/mem", "/", "..", "nothing there", "n" * 3000,
)
"""Where links lead."""
# fmt: on

Fault = Callable[[str, Files, Random], Files]
"""Spoils the files of a character of a kind."""

GLTF = ("GLB", "GLB Draco", "GLB meshoptimizer", "glTF", "VRM")
PICTURES = ("PNG", "JPEG", "BMP", "TGA")


def victim(kind: str, files: Files, random: Random) -> str:
    """The file that a fault strikes: a character's picture if it is about that, else mostly the first."""
    names = list(files)
    if kind in PICTURES:
        return names[-1]
    return names[0] if random.random() < 0.6 else random.choice(names)


def struck(kind: str, files: Files, random: Random, change: Callable[[bytes], Content]) -> Files:
    """The files with one of them changed."""
    name = victim(kind, files, random)
    content = files[name]
    return {**files, name: change(content) if isinstance(content, bytes) else content}


def flip(kind: str, files: Files, random: Random) -> Files:
    """Up to 64 bytes are others."""

    def change(data: bytes) -> bytes:
        out = bytearray(data)
        # Half of the time near the beginning, where headers are.
        most = len(out) if random.random() < 0.5 else min(len(out), 256)
        for _ in range(random.choice((1, 1, 2, 8, 64))):
            out[random.randrange(most)] = random.randrange(256)
        return bytes(out)

    return struck(kind, files, random, change)


def cut(kind: str, files: Files, random: Random) -> Files:
    """The end is missing, or a piece is missing or there twice."""

    def change(data: bytes) -> bytes:
        start, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
        return random.choice(
            (data[:start], data[:start], data[:start] + data[end:], data[:end] + data[start:])
        )

    return struck(kind, files, random, change)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value in a JSON document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*at, key)
        yield from places(inner, (*at, key))


def planted(document: Any, place: tuple[Any, ...], value: Any) -> None:
    """Put a value into a JSON document."""
    for key in place[:-1]:
        document = document[key]
    document[place[-1]] = value


_COUNTS = ["count", "byteLength", "byteStride", "componentType", "type", "mode", "max", "min", "version"]


def _document(kind: str, files: Files, change: Callable[[dict[str, Any]], None]) -> Files:
    """The files with the JSON of a glTF file changed."""
    name, content = next(iter(files.items()))
    assert isinstance(content, bytes)
    if kind == "glTF":
        data = json.loads(content)
        change(data)
        return {**files, name: json.dumps(data).encode()}
    made = opened(content)
    change(made.data)
    return {**files, name: rewritten(made)}


def _numbers(kind: str, files: Files, random: Random, counts: bool) -> Files:
    """A size, a count or a type is another, or else an offset, an index or a length points elsewhere."""
    if kind in GLTF:

        def change(data: dict[str, Any]) -> None:
            named = [(p, next(k for k in p[::-1] if isinstance(k, str))) for p in places(data)]
            found = [p for p, name in named if (name in _COUNTS) == counts]
            for _ in range(random.choice((1, 1, 3))):
                value = random.choice(NUMBERS if random.random() < 0.7 else JUNK)
                try:
                    planted(data, random.choice(found), value)
                except (LookupError, TypeError):
                    # An earlier value took the place away.
                    continue

        return _document(kind, files, change)
    if kind in PICTURES:
        return struck(kind, files, random, lambda data: _picture_field(kind, data, random, counts))
    return struck(kind, files, random, lambda data: _word(data, random, counts))


def _word(data: bytes, random: Random, counts: bool) -> bytes:
    """A number of a text is another: of its coordinates and counts, or of what points to others."""
    text = data.decode("latin-1")
    pattern = r"(?m)^(?:v|vt|Kd|d|element|property|format)\b.*$" if counts else r"(?m)^(?:f |\d+ |[ro]|\").*$"
    lines = list(re.finditer(pattern, text)) or list(re.finditer(r"(?m)^.+$", text))
    for _ in range(random.choice((1, 1, 20))):
        line = random.choice(lines)
        words = list(re.finditer(r"[-+.\w]+", line[0])) or [line]
        word = random.choice(words)
        base = 0 if word is line else line.start()
        new = random.choice(WORDS)
        text = text[: base + word.start()] + new + text[base + word.end() :]
        if len(new) != word.end() - word.start():
            break
    return text.encode("latin-1", "replace")


def _picture_field(kind: str, data: bytes, random: Random, counts: bool) -> bytes:
    """A size or a type in a picture's header is another, or else a length or an offset."""
    frame = max(data.find(b"\xff\xc0"), 0)
    # fmt: off
    fields = {
        ("PNG", True): "16>I 20>I 24>B 25>B 28>B", ("PNG", False): "8>I 33>I",
        ("JPEG", True): f"{frame + 5}>H {frame + 7}>H {frame + 4}>B {frame + 9}>B",
        ("JPEG", False): f"4>H {frame + 2}>H",
        ("BMP", True): "18<i 22<i 26<H 28<H 30<I 46<I", ("BMP", False): "10<I 2<I 14<I 34<I",
        ("TGA", True): "12<H 14<H 16<B 17<B 1<B 2<B", ("TGA", False): "0<B 3<H 5<H",
    }
    # fmt: on
    field = random.choice(fields[kind, counts].split())
    at, form = int(field[:-2]), field[-2:].upper()
    bits = 8 * struct.calcsize(form)
    value = random.choice((0, 1, 2**bits - 1, 2 ** (bits - 1), 2 ** (bits - 1) - 1, random.getrandbits(bits)))
    out = bytearray(data)
    struct.pack_into(form, out, at, value)
    return bombs.with_sums(bytes(out)) if kind == "PNG" and random.random() < 0.7 else bytes(out)


def cycles(kind: str, files: Files, random: Random) -> Files:
    """Something contains or names itself."""
    first, last = next(iter(files)), list(files)[-1]
    if kind in GLTF and random.random() < 0.8:

        def change(data: dict[str, Any]) -> None:
            data["nodes"][random.randrange(3)]["children"] = random.choice(
                ([2], [0, 1, 2], [0, 0], [2, 2, 1])
            )
            twist = random.choice(("scenes", "skins", "images", "buffers"))
            values = {"nodes": [2, 2, 0, 1] * 50, "joints": [0, 0], "skeleton": 0, "uri": first}
            data[twist][0] = {**data[twist][0], **values}

        return _document(kind, files, change)
    if random.random() < 0.4:
        folder = last.rpartition("/")[0]
        other = f"{folder}/other" if folder else "other"
        return {**files, last: Link("other"), other: Link(last.rpartition("/")[2])}
    own = first.rpartition("/")[2].encode()
    line = random.choice((b"mtllib ", b"call ", b"comment TextureFile ", b"map_Kd ")) + own + b"\n"

    def repeat(data: bytes) -> bytes:
        at = data.find(b"\n") + 1
        return data[:at] + line * random.choice((1, 50)) + data[at:]

    return {
        name: repeat(content) if isinstance(content, bytes) and b"\n" in content[:2000] else content
        for name, content in files.items()
    }


def bomb(kind: str, files: Files, random: Random) -> Files:
    """Something small says that it is large."""
    if kind in GLTF:
        return bombs.gltf_bomb(kind, files, random)
    if kind in PICTURES:
        return {**files, list(files)[-1]: bombs.picture_bomb(kind, random)}
    if kind.startswith("PLY"):
        return {**files, next(iter(files)): bombs.ply_bomb(random)}
    if kind.startswith("FBX"):
        own = next(iter(files)).removesuffix(".fbx")
        return fbx_files(kind, own, f"{own}.png", *random.choice(bombs.FBX)())
    if kind == "COLLADA":
        return {**files, next(iter(files)): square(**random.choice(bombs.DAE)()).encode()}
    return bombs.obj_bomb(files, random)


def names(kind: str, files: Files, random: Random) -> Files:
    """A name leads elsewhere, steers the terminal or cannot be one."""
    name = random.choice(NAMES)
    if random.random() < 0.2:
        return _renamed(files, random.choice(FILE_NAMES))
    if kind.startswith("FBX"):
        return fbx_files(kind, next(iter(files)).removesuffix(".fbx"), name, thing("Model", 40, name, "Null"))
    if kind in GLTF:

        def change(data: dict[str, Any]) -> None:
            found = [
                p for p in places(data) if p[-1] in ("uri", "name", "title", "author", "shader", "mimeType")
            ]
            where = random.choice([*found, ("images", 0), ("buffers", 0, "uri"), ("nodes", 2, "name")])
            planted(data, where, {"uri": name} if where[0] == "images" else name)

        return _document(kind, files, change)

    def rename(data: bytes) -> bytes:
        found = list(re.finditer(rb"(?m)^(mtllib|map_Kd|usemtl|newmtl|o|g|comment TextureFile) (.*)$", data))
        if not found:
            return data
        where = random.choice(found)
        return data[: where.start(2)] + name.encode("utf-8", "surrogatepass") + data[where.end(2) :]

    texts = [n for n, content in files.items() if isinstance(content, bytes) and b"\n" in content[:200]]
    chosen = random.choice(texts)
    content = files[chosen]
    assert isinstance(content, bytes)
    return {**files, chosen: rename(content)}


def _renamed(files: Files, more: bytes) -> Files:
    """The first file, or the folder that it lies in, bears a longer name."""
    first = next(iter(files))
    head, dot, _ = first.partition("/") if "/" in first else first.rpartition(".")
    new = f"{head}{more.decode('utf-8', 'surrogateescape')}"
    return {new + n[len(head) :] if n == first or dot == "/" else n: c for n, c in files.items()}


def links(kind: str, files: Files, random: Random) -> Files:
    """A file is a link that leads elsewhere, or a folder is one."""
    name = victim(kind, files, random)
    if "/" in name and random.random() < 0.3:
        folder = name.rpartition("/")[0]
        others = {n: c for n, c in files.items() if not n.startswith(folder + "/")}
        return {**others, folder: Link(f"../{OUTSIDE}")}
    target = random.choice(TARGETS)
    if target.startswith(".."):
        target = "../" * name.count("/") + target
    return {**files, name: Link(target)}


def pipes(kind: str, files: Files, random: Random) -> Files:
    """A pipe, a socket or a folder lies where a file is expected."""
    name = victim(kind, files, random)
    return {**files, name: random.choice((Special.PIPE, Special.SOCKET, Special.FOLDER))}


FAULTS: dict[str, Fault] = {
    "bytes flipped": flip,
    "truncated or spliced": cut,
    "counts": lambda kind, files, random: _numbers(kind, files, random, True),
    "offsets": lambda kind, files, random: _numbers(kind, files, random, False),
    "cycles": cycles,
    "bombs": bomb,
    "names": names,
    "links": links,
    "pipes and folders": pipes,
}


def mutant(kind: str, fault: str, name: str, random: Random) -> Files:
    """Files of a character of a kind with a fault."""
    return FAULTS[fault](kind, SOUND[kind](name), random)
