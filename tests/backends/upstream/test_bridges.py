"""The worker scripts of upstream projects, run against stand-ins; `backends doctor`."""

import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.backends.base import Context
from specsia_build.backends.upstream.bridged import Bridged, claim, create
from specsia_build.backends.upstream.doctor import ABSENT, NOTE, PASSED, Check, diagnose, missing_names
from specsia_build.backends.upstream.pins import NAMES, Installation, find_installation, read_pins
from specsia_build.errors import CharacterError, UsageError
from specsia_build.frame import ORTHO_WIDTH
from specsia_build.rendering.mesh import Mesh
from tests.backends.upstream.standins import eventually, processes_naming
from tests.backends.upstream.upstreams import FIGURE_SOURCE, write_environment, write_files, write_upstream
from tests.commands import specsia
from tests.needs import needs

SIZE = 128


def picture() -> NDArray[np.uint8]:
    """The figure's frontal silhouette, red."""
    image = np.zeros((SIZE, SIZE, 4), np.uint8)
    for low, high in (((-0.1, -0.5), (0.1, 0.5)), ((0.1, 0.1), (0.4, 0.2))):
        left, right = (round((x / ORTHO_WIDTH + 0.5) * SIZE) for x in (low[0], high[0]))
        bottom, top = (round((0.5 - z / ORTHO_WIDTH) * SIZE) for z in (low[1], high[1]))
        image[top:bottom, left:right] = (255, 0, 0, 255)
    return image


def volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    return float((np.cross(a, b) * c).sum() / 6)


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAKE_HUB", str(tmp_path / "hub"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    return tmp_path / "hub"


@pytest.mark.parametrize("name", NAMES)
def test_bridge_returns_our_frame(tmp_path: Path, python: Path, hub: Path, name: str) -> None:
    root = write_upstream(tmp_path / "checkout", name)
    before = sorted(root.rglob("*"))
    place = Installation(
        root, python, (f"{name}-{os.getpid()}",), name == "crm", seconds={"start": 60.0, "item": 60.0}
    )
    backend = Bridged(read_pins(name), place)
    backend.logs_to(tmp_path / "logs")
    try:
        meshes = [backend.reconstruct(picture(), Context(f"c{seed}", seed)) for seed in (7, 2**60 + 1)]
    finally:
        backend.close()
    space: dict[str, Any] = {}
    exec(FIGURE_SOURCE, space)
    points = np.array(space["figure"]()[0])
    for mesh in meshes:
        assert len(mesh.faces) == 36
        assert volume(mesh) == pytest.approx(0.2 * 0.2 + 0.3 * 0.1 * 0.1 + 0.1 * 0.2 * 0.1, rel=0.1)
        for axis in (0, 2):
            assert np.abs(np.sort(mesh.vertices[:, axis]) - np.sort(points[:, axis])).max() < 0.012
        front = mesh.vertices[:, 1].argmin()
        assert mesh.vertices[front, 2] > 0.1, "the nose is in front and up"
        arm = mesh.vertices[:, 0].argmax()
        assert mesh.vertices[arm, 2] > 0.05, "the arm is on the right of the picture"
    (log,) = (tmp_path / "logs").iterdir()
    assert ("c0ffee" in log.read_text()) == (name != "anigen"), "revisions of weights are logged"
    own = backend.animated(f"c{2**60 + 1}")
    assert (own is not None) == (name == "anigen")
    if own is not None:
        assert len(own.rig.nodes) == 2 and np.array_equal(own.character.mesh.vertices, meshes[1].vertices)
        joint = own.rig.placement @ [0.1, 0.15, 0, 1]
        assert np.allclose(joint[:3], [0.1, 0.1, 0.15], atol=0.02)
        assert backend.animated("c7") is None
    assert list((tmp_path / "tmp").iterdir()) == [], "temporary files are gone"
    left = [p for p in sorted(root.rglob("*")) if p not in before and "__pycache__" not in p.parts]
    assert left == [], "nothing is left in the checkout"
    assert eventually(lambda: processes_naming(str(root)) == [])


def test_difix_sees_the_drawing(
    tmp_path: Path, python: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("torch")
    from specsia_build.dravie.evaluate.difix import difix_painter

    root = write_upstream(tmp_path / "checkout", "difix3d")
    monkeypatch.setenv("SPECSIA_DIFIX3D_ROOT", str(root))
    monkeypatch.setenv("SPECSIA_DIFIX3D_PYTHON", str(python))
    monkeypatch.setenv("SPECSIA_DIFIX3D_DEVICES", f"difix-{os.getpid()}")
    drawing = picture().copy()
    drawing[..., :3] = (0, 0, 255)
    view: Any = SimpleNamespace(uid="c_01", z=picture())
    with difix_painter() as fit:
        result = fit(SimpleNamespace(pair=SimpleNamespace(gt=drawing)))(view)  # type: ignore[arg-type]
    covered = picture()[..., 3] > 0
    assert np.abs(result[covered] - np.array([127.5, 0, 127.5, 255])).max() < 1
    assert not result[~covered].any()
    assert missing_names(read_pins("difix3d"), root) == [] and "difix3d" not in NAMES


def test_missing_checkout_or_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECSIA_BACKENDS", str(tmp_path / "backends.yaml"))
    for name in ("ROOT", "PYTHON"):
        monkeypatch.delenv(f"SPECSIA_CRM_{name}", raising=False)
    for argument, python in ((None, None), ("nowhere", None), ("", None), ("", "no-python")):
        if python is not None:
            monkeypatch.setenv("SPECSIA_CRM_PYTHON", str(tmp_path / python))
        with pytest.raises(UsageError, match=r"SPECSIA_CRM_(ROOT|PYTHON)"):
            create("crm", None if argument is None else str(tmp_path / argument))


def test_sources_of_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "backends.yaml"
    path.write_text(
        "crm:\n  root: /in/file\n  python: /file/python\n  devices: [0, 1]\n  offline: true\n"
        "  weights: {crm: /my/weights}\n  seconds: {item: 99}\n"
    )
    monkeypatch.setenv("SPECSIA_BACKENDS", str(path))
    monkeypatch.delenv("SPECSIA_CRM_ROOT", raising=False)
    place = find_installation("crm")
    assert (place.root, place.python) == (Path("/in/file"), Path("/file/python"))
    assert (place.devices, place.offline) == (("0", "1"), True)
    backend = Bridged(read_pins("crm"), place)
    assert backend.slots == 2
    assert backend.patience > 2 * 99
    weights = backend.settings()["weights"]["crm"]
    assert (weights["source"], weights["revision"]) == ("/my/weights", None)
    for variable, devices in (("5,6", ("5", "6")), ("", ("0",))):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
        assert find_installation("wonder3d").devices == devices
    monkeypatch.setenv("SPECSIA_CRM_ROOT", "/in/environment")
    monkeypatch.setenv("SPECSIA_CRM_DEVICES", "3, 4, 3")
    assert find_installation("crm").root == Path("/in/environment")
    assert find_installation("crm").devices == ("3", "4")
    assert find_installation("crm", root=Path("/argument")).root == Path("/argument")


@pytest.mark.parametrize(
    "setting",
    ["rot: /in/file", "offline: 'no'", "seconds: {strat: 5}", "seconds: {item: .nan}", "weights: {crn: /my}"],
)
def test_settings_without_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    path = tmp_path / "backends.yaml"
    path.write_text(f"crm: {{{setting}}}\n")
    monkeypatch.setenv("SPECSIA_BACKENDS", str(path))
    with pytest.raises(UsageError, match=r"backends\.yaml: crm"):
        find_installation("crm")


def test_device_is_claimed_once(tmp_path: Path) -> None:
    claimed = [claim(["0", "1"], 0.0, tmp_path) for _ in range(2)]
    assert [device for device, _ in claimed] == ["0", "1"]
    with pytest.raises(CharacterError):
        claim(["0", "1"], 0.3, tmp_path)
    claimed[0][1].release()
    assert claim(["0", "1"], 0.0, tmp_path)[0] == "0"


@pytest.mark.parametrize("name", NAMES)
def test_each_file_and_name_is_checked(tmp_path: Path, name: str) -> None:
    pins, root = read_pins(name), write_upstream(tmp_path, name)
    assert missing_names(pins, root) == []
    for file, names in pins.uses.items():
        text = (root / file).read_text()
        for part in {part for path in names for part in path.split(".")}:
            (root / file).write_text(re.sub(rf"\b{part}\b", f"new_{part}", text))
            assert missing_names(pins, root) == [f"{file} has no {part}"]
        (root / file).unlink()
        assert missing_names(pins, root) == [f"{file} cannot be read: No such file or directory"]
        (root / file).write_text(text)


def test_problems_in_order_with_fixes(tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    pins = read_pins("crm")
    nothing = diagnose(pins, Installation())
    assert [check.name for check in nothing] == ["checkout", "python", "weights crm", "weights clip", "GPU"]
    assert all(check.fix for check in nothing if check.state != PASSED and check.name != "GPU")
    assert f"git clone {pins.repository}" in nothing[0].fix
    assert pins.commit in nothing[0].fix

    weights = write_files(tmp_path / "weights", dict.fromkeys(pins.weights[0].files[:2], ""))
    root = write_upstream(tmp_path / "a checkout", "crm")

    def checks(python: Path = python) -> dict[str, Check]:
        place = Installation(root, python, weights={"crm": str(weights)})
        return {check.name: check for check in diagnose(pins, place)}

    first = checks()
    states = {name: check.state for name, check in first.items() if name != "GPU"}
    lacking = dict.fromkeys(("packages", "weights crm", "weights clip"), ABSENT)
    assert states == {"checkout": PASSED, "commit": NOTE, "names": PASSED, "python": NOTE, **lacking}
    install = first["packages"].fix
    assert install.startswith(f"{python} -m pip install")
    assert all(name in install for name in ("open-clip-torch==2.7.0", "kiui", "nvdiffrast/"))
    assert "lacks ccm-diffusion.pth" in first["weights crm"].details
    assert first["weights clip"].fix.startswith("hf download laion/CLIP")
    (weights / "ccm-diffusion.pth").touch()
    assert checks()["weights crm"].state == PASSED
    assert checks(tmp_path / "no-python")["python"].state == ABSENT


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECSIA_BACKENDS", str(tmp_path / "none.yaml"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    root = write_upstream(tmp_path / "w", "wonder3d")
    arguments = ["backends", "doctor", "wonder3d", "--root", str(root), "--python", sys.executable]
    assert "ok      names: all 14 files" in specsia(*arguments, code=1).output
    path = root / "test_mvdiffusion_seq.py"
    path.write_text(path.read_text().replace("def load_wonder3d_pipeline", "def load_pipeline"))
    document = json.loads(specsia(*arguments, "--json", code=1).output)
    assert document["ok"] is False
    gone = [check["details"] for check in document["checks"] if check["name"] == "names"]
    assert gone == ["test_mvdiffusion_seq.py has no load_wonder3d_pipeline"]
    specsia("backends", "doctor", "relief", code=2)


def test_complete_installation_exits_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = write_environment(tmp_path / "environment")
    site = next((tmp_path / "environment").glob("lib/python*/site-packages"))
    pins = read_pins("crm")
    for name, version in pins.packages.items():
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        write_files(site, {f"{name.replace('-', '_')}-{version}.dist-info/METADATA": metadata})
    write_files(site, {f"{name}/__init__.py": "" for name in pins.imports})
    (site / "fakes.pth").unlink()
    cuda = "class cuda:\n    is_available = lambda: True\n    device_count = lambda: 1\n"
    write_files(site, {"torch/__init__.py": cuda})
    smi = tmp_path / "bin" / "nvidia-smi"
    write_files(tmp_path, {"bin/nvidia-smi": "#!/bin/sh\necho '0, A GPU, 81559'\n"})
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{smi.parent}:/usr/bin:/bin")
    weights = {w.name: str(write_files(tmp_path / w.name, dict.fromkeys(w.files, ""))) for w in pins.weights}
    settings = tmp_path / "backends.yaml"
    root = write_upstream(tmp_path / "checkout", "crm")
    settings.write_text(json.dumps({"crm": {"root": str(root), "python": str(python), "weights": weights}}))
    monkeypatch.setenv("SPECSIA_BACKENDS", str(settings))
    assert "crm is ready" in specsia("backends", "doctor", "crm").output
