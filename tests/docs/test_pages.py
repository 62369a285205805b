"""Commands in README, docs and the model card work as printed."""

import inspect
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from packaging.requirements import Requirement

from specsia_build.characters.samples.write import write_sample
from specsia_build.config import BuildConfig, ClipSettings
from specsia_build.dravie import config as learning
from specsia_build.repairing.drawing import DrawingSettings
from specsia_build.repairing.settings import RepairSettings
from specsia_build.warning import Code
from tests.animation.people import KAYKIT, person
from tests.characters.gltf.writer import GltfWriter
from tests.cli.test_help import commands, parse
from tests.clips import at_once, write_figures
from tests.commands import specsia
from tests.hub_server import logged_in
from tests.shapes import BOX, TRIANGLES

ROOT = Path(__file__).parents[2]

CARD = "specsia_build/dravie/weights/MODEL_CARD.md"

PAGES = ("README.md", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")), CARD)

REPEATS = "README and the tutorial run these commands"

NOT_RUN = {
    ("README.md", "ray start"): "it needs several machines; tests/pipeline builds on a cluster of one",
    (
        "docs/backends.md",
        "specsia backends doctor",
    ): "it needs the upstream project; tests/backends has stand-ins",
    (
        "docs/backends.md",
        "specsia build SOURCE",
    ): "it starts a process for each character, as tests/backends does",
    ("docs/speed.md", "python -m benchmarks stages"): "it takes minutes; tests/benchmarks runs the commands",
    ("docs/benchmark.md", "specsia benchmark"): "it takes minutes; tests/dravie runs the command",
    ("docs/evaluation.md", "specsia enhance"): REPEATS,
    ("docs/packing.md", "pip install"): "it needs a bucket; tests/pipeline builds into one",
    ("docs/pictures.md", "specsia turntable"): REPEATS,
    ("docs/reliability.md", "pytest"): "it runs tests",
    ("docs/repair.md", "specsia repair"): "it takes a minute; tests/repairing runs the command",
    (
        "docs/rendering.md",
        "python -m benchmarks renderers",
    ): "it starts a Blender; tests/rendering/blender does, too",
    ("docs/scale.md", "sbatch"): "it needs SLURM; tests/pipeline builds the shards of its tasks",
    (CARD, "pip install"): REPEATS,
    (CARD, "specsia build characters.jsonl"): "it takes hours",
}
"""Blocks that cannot run here, by page and beginning, with the reason; their commands are parsed."""

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_INLINE = re.compile(r"`(specsia [^`]+)`")
_ENDS = {"&&", "||", "|", ";", ">", "2>"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its first line there, its language, if any, and its text."""

    page: str
    line: int
    language: str
    text: str

    @property
    def runs(self) -> bool:
        """Whether it is to be run, not parsed."""
        return not any(self.page == page and self.text.startswith(begin) for page, begin in NOT_RUN)


def blocks_of(page: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    text = (ROOT / page).read_text()
    return [Block(page, text.count("\n", 0, m.start(2)) + 1, m[1], m[2]) for m in _FENCED.finditer(text)]


BLOCKS = [block for page in PAGES for block in blocks_of(page) if block.language in ("sh", "bash", "python")]
"""Those that a reader would give to a shell or to Python."""


def commands_of(shell: str) -> Iterator[list[str]]:
    """The arguments of each `specsia` in a text for a shell, whatever stands before it."""
    for line in shell.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while "specsia" in words:
            words = words[words.index("specsia") + 1 :]
            ends = [k for k, word in enumerate(words) if word in _ENDS]
            if not ends or ends[0] > 0:
                yield words[: ends[0]] if ends else words


def mentioned(page: str) -> list[str]:
    """What the running text of a page, and its blocks of no language, call by `specsia …`."""
    text = (ROOT / page).read_text()
    plain = [line for block in blocks_of(page) if not block.language for line in block.text.splitlines()]
    return _INLINE.findall(_FENCED.sub("", text)) + [line for line in plain if line.startswith("specsia ")]


PREPARATION = """
specsia build path/to/characters --out my-run
cp -r my-run specsia-out
cp -r my-run/dataset DATASET
cp -r my-run/dataset A
cp -r my-run/dataset B
specsia push my-run/dataset --repo owner/name
specsia build PATH/TO/3DBiCar --out of-3dbicar
specsia push of-3dbicar/dataset --repo owner/SPECSIA-15K
specsia clips person.jsonl --motion walk --layout frames --layout pairs --out DIR
cp -r DIR/frames-relief/person-walk-00 my-frames
cp my-frames/color/0000.png front.png
cp PATH/TO/3DBiCar/0/image/image_reshape512.jpeg drawing.png
"""
"""What a reader has who comes to a page: a run, what others published, frames of a tool."""

FEW = 4
"""Steps of a training, whatever the text names: minutes pass in more of them, and nothing that is looked at
here."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Lower what commands take where the text names no other number, log in to a Hub, and work in this
    process."""

    def lower(settings: Any, **values: Any) -> None:
        parameters = [
            p for p in inspect.signature(settings.__init__).parameters.values() if p.default is not p.empty
        ]
        defaults = tuple(values.get(p.name, p.default) for p in parameters)
        patch.setattr(settings.__init__, "__defaults__", defaults)

    checked = learning.TrainConfig.__post_init__

    def shortened(self: learning.TrainConfig) -> None:
        checked(self)
        object.__setattr__(self, "steps", min(self.steps, FEW))

    folder = tmp_path_factory.mktemp("docs")
    with pytest.MonkeyPatch.context() as patch, logged_in(folder, patch):
        lower(BuildConfig, size=64)
        lower(ClipSettings, views=1, frames=3)
        lower(RepairSettings, views=4)
        lower(DrawingSettings, size=64)
        tiny = replace(learning.PRESETS["tiny"], steps=FEW, batch=1, patch=16)
        # msgspec keeps the `__post_init__` that it meets first, for all later tests.
        learning.train_from_json(learning.to_json(tiny))
        patch.setattr(learning.TrainConfig, "__post_init__", shortened)
        patch.setitem(learning.PRESETS, "tiny", tiny)
        patch.setattr("specsia_build.pipeline.build.open_executor", at_once)
        patch.setattr("specsia_build.dravie.adapt.adapt.WITHHELD", 1)
        patch.setattr("datasets.config.HF_DATASETS_CACHE", folder / "datasets")
        patch.setattr(os, "sched_getaffinity", lambda _: {0})
        patch.setenv("HF_DATASETS_CACHE", str(folder / "datasets"))
        yield


def write_person(path: Path) -> None:
    """A person of boxes, one to a bone."""
    skeleton, writer = person(KAYKIT, up="+y")[0].skeleton, GltfWriter()
    for node, name in enumerate(skeleton.names):
        material = writer.add(
            "materials", pbrMetallicRoughness={"baseColorFactor": [node / 30, 0.5, 0.3, 1.0]}
        )
        side = 0.24 if name in ("hips", "spine", "chest", "head") else 0.16
        box = writer.primitive(BOX * side, TRIANGLES, material)
        children = {"children": found} if (found := np.flatnonzero(skeleton.parents == node).tolist()) else {}
        writer.mesh_node(box, name=name, translation=skeleton.translations[node].tolist(), **children)
    writer.data["scenes"], writer.data["scene"] = [{"nodes": [0]}], 0
    writer.write_glb(path)


@pytest.fixture(scope="module")
def surroundings(small: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is there before a page begins."""
    folder = tmp_path_factory.mktemp("surroundings")
    characters = write_figures(folder / "path/to/characters")
    for one, name in zip("abc", ("ID", "0", "d"), strict=True):
        (characters / f"{one}.glb").rename(characters / f"{name}.glb")
    shutil.copytree(characters, folder / "SOURCE")
    (folder / "person.jsonl").write_text('{"id": "person", "path": "person.glb", "license": "CC0-1.0"}\n')
    for name in ("person.glb", "Knight.glb"):
        write_person(folder / name)
    for index in range(2):
        write_sample(folder / "PATH/TO/3DBiCar", index, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for line in PREPARATION.strip().splitlines():
            run_line(line)
    return folder


def run_line(line: str) -> None:
    """Do what a line for a shell says, in this process where it calls specsia."""
    words = shlex.split(line, comments=True)
    if not words:
        return
    # What it starts takes seconds; tests/test_machine.py runs it.
    if words == ["specsia", "doctor"]:
        return
    if words[0] == "specsia":
        specsia(*words[1:])
    elif words[0] == "pip":
        check_pip(words[1:])
    elif words[0] == "make":
        # Whether there is such a target, and what it would do.
        subprocess.run(
            ["make", "--dry-run", "--silent", "-C", ROOT, *words[1:]], check=True, capture_output=True
        )
    elif words[0] != "source":
        subprocess.run(words, check=True)


def check_pip(words: list[str]) -> None:
    """See that an installation could be made: its extras are declared, its files are there."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert words[0] == "install"
    for before, word in pairwise(words):
        if before in ("-c", "-r"):
            assert (ROOT / word).is_file(), f"there is no {word}"
        elif not word.startswith("-"):
            wanted = Requirement(word.replace(".", "specsia", 1) if word.startswith(".") else word)
            assert wanted.name != "specsia" or wanted.extras <= set(extras), (
                f"there is no extra {wanted.extras}"
            )


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.page == page and b.runs for b in BLOCKS)])
def test_commands_of_a_page(
    page: str, surroundings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shutil.copytree(surroundings, tmp_path / "sandbox"))
    for block in BLOCKS:
        if block.page != page or not block.runs:
            continue
        if block.language == "python":
            exec(compile(block.text, f"{page}:{block.line}", "exec"), {"__name__": "__main__"})
        else:
            for line in block.text.replace("\\\n", " ").splitlines():
                run_line(line)


def test_codes_of_warnings_are_listed() -> None:
    page = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    listed = page.partition("\n- files:")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"`([a-z-]+)`", listed)) == get_args(Code)


def test_other_blocks_are_parsed() -> None:
    shell = [block.text for block in BLOCKS if not block.runs and block.language != "python"]
    for words in (words for text in shell for words in commands_of(text)):
        parse(words)
    for page, begin in NOT_RUN:
        assert [block.page == page and block.text.startswith(begin) for block in BLOCKS].count(True) == 1, (
            begin
        )


@pytest.mark.parametrize("page", PAGES)
def test_options_in_text_exist(page: str) -> None:
    known = {names: command for names, command in commands() if names}
    for line in mentioned(page):
        words = re.findall(r"[^\s\[\]|…,]+", line)[1:]
        named = next((tuple(words[:n]) for n in (2, 1) if tuple(words[:n]) in known), None)
        assert named is not None, line
        options = {
            text for parameter in known[named].params for text in (*parameter.opts, *parameter.secondary_opts)
        }
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options | {"--help"}, (
            line
        )
