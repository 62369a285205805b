"""The self-test finds every turn, every mirror and a reversed winding, and says so by its exit code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from specsia_build.backends import registry
from specsia_build.backends.base import Context
from specsia_build.backends.placing import into_frame
from specsia_build.backends.selftest import ellipsoid, figure, report, selftest
from specsia_build.cli import machine as command
from specsia_build.frame import axis_names
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.topology import topology


@dataclass
class Wrong:
    """Gives the truth, changed."""

    change: Callable[[Mesh], Mesh]
    name: str = "wrong"
    version: int = 1
    sees_ground_truth: bool = True
    needs_yaw: bool = False

    def settings(self) -> Mapping[str, Any]:
        return {}

    def inputs(self, character_id: str) -> Sequence[Path]:
        return ()

    def reconstruct(self, image: NDArray[np.uint8], context: Context) -> Mesh:
        assert context.ground_truth is not None
        return self.change(context.ground_truth())


def turned(mesh: Mesh, degrees: int) -> Mesh:
    x, y, z = mesh.vertices.T
    for _ in range(degrees // 90):
        x, y = -y, x
    return mesh.with_vertices(np.stack([x, y, z], axis=1))


def test_the_figure_is_closed_normalised_and_without_symmetry() -> None:
    mesh = figure()
    assert topology(mesh).closed.all()
    low, high = mesh.bounds()
    assert float((high - low).max()) == pytest.approx(1, abs=1e-5)
    scores = [c["score"] for c in selftest(Wrong(lambda m: m)).document()["candidates"]]
    assert scores[0] == pytest.approx(1, abs=0.01)
    assert scores[1] < 0.85


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_every_other_frame_is_found_out(degrees: int, mirrored: bool) -> None:
    found = selftest(Wrong(lambda m: turned(into_frame(m, ("-x", "+y", "+z")) if mirrored else m, degrees)))
    assert found.ok == (degrees == 0 and not mirrored)
    assert len({axis_names(c.matrix) for c in found.candidates}) == 48
    assert found.candidates[0].likeness.score == pytest.approx(1, abs=0.01)
    assert (np.linalg.det(found.candidates[0].matrix) < 0) == mirrored
    assert abs(found.margin) > 0.1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: replace(m, colors=np.ones_like(m.colors)), "as well in another frame"),
        (lambda m: ellipsoid((0, 0, 0), (0.3, 0.3, 0.4), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), "the figure in no frame"),
    ],
)
def test_a_mesh_that_tells_nothing_is_no_success(change: Callable[[Mesh], Mesh], said: str) -> None:
    found = selftest(Wrong(change))
    assert not found.ok
    assert said in report(found)[-1]


def test_the_backends_of_the_project_pass() -> None:
    for name in ("relief", "fusion", "fusion:2"):
        found = selftest(registry.load_backend(name))
        assert found.ok
        assert found.margin > 0.02
        assert found.volume is None or found.volume > 0


def run(name: str, *more: str) -> tuple[int, str]:
    ran = CliRunner().invoke(command.backends, ["selftest", name, *more])
    return ran.exit_code, ran.output


def test_the_command_speaks_by_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = run("relief", "--json")
    document = json.loads(text)
    assert code == 0
    assert document["ok"]
    assert document["backend"] == "relief"
    assert len(document["candidates"]) == 48
    assert document["candidates"][0]["axes"] == ["+x", "+y", "+z"]
    closed: list[bool] = []
    wrong = Wrong(lambda m: turned(m, 90))
    monkeypatch.setattr(wrong, "close", lambda: closed.append(True), raising=False)
    monkeypatch.setattr(registry, "load_backend", lambda name: wrong)
    code, text = run("wrong")
    assert code == 1
    assert 'axes: ["+y", "-x", "+z"]' in text
    assert closed == [True]
