"""What a worker sees of the user's environment: a short list, and a token only where weights are gated."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from specsia_build.backends.base import Context
from specsia_build.backends.upstream.bridged import Bridged
from specsia_build.backends.upstream.environment import worker_environment
from specsia_build.backends.upstream.pins import (
    Installation,
    Pins,
    Weights,
    asks_with_token,
    read_pins,
)
from specsia_build.backends.upstream.supervisor import Limits
from specsia_build.cli.main import main
from tests.backends.upstream.standins import TEN_LINES

SECRETS = {
    "HF_TOKEN": "hf_secret",
    "HUGGING_FACE_HUB_TOKEN": "hf_secret",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "NVIDIA_API_KEY": "secret",
    "WANDB_API_KEY": "secret",
    "SSH_AUTH_SOCK": "/run/secret",
    "PYTHONPATH": "/not/for/workers",
}
NEEDED = {"HF_HOME": "/cache", "HTTPS_PROXY": "http://proxy:3128", "CUDA_HOME": "/cuda", "TORCH_HOME": "/torch"}

TELLING = TEN_LINES.replace(
    "def load(settings):",
    "def load(settings):\n    import json, os\n    json.dump(dict(os.environ), open('environment.json', 'w'))",
)


def seen(tmp_path: Path, pins: Pins, place: Installation) -> dict[str, str]:
    """The environment of the worker of a bridge."""
    (tmp_path / "script.py").write_text(TELLING)
    backend = Bridged(
        pins, replace(place, root=tmp_path, python=Path(sys.executable)), tmp_path / "script.py", Limits()
    )
    try:
        backend.reconstruct(np.full((8, 8, 4), 255, np.uint8), Context("a", 1))
    finally:
        backend.close()
    found: dict[str, str] = json.loads((tmp_path / "environment.json").read_text())
    return found


def pins_with(gated: bool) -> Pins:
    return replace(read_pins("crm"), weights=(Weights("own", source="a/b", gated=gated),))


def test_a_worker_sees_what_it_needs_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**SECRETS, **NEEDED, "FOR_THIS_BACKEND": "yes", "FOR_ALL": "no"}.items():
        monkeypatch.setenv(name, value)
    place = Installation(devices=(f"env-{os.getpid()}",), environment=("FOR_THIS_BACKEND", "NOT_SET"))
    found = seen(tmp_path, pins_with(gated=False), place)
    assert not set(found) & {*SECRETS, "FOR_ALL", "NOT_SET"}
    assert "secret" not in str(found)
    assert found.items() >= NEEDED.items()
    assert found["FOR_THIS_BACKEND"] == "yes"
    assert (found["PATH"], found["HOME"]) == (os.environ["PATH"], os.environ["HOME"])
    assert found["CUDA_VISIBLE_DEVICES"] == place.devices[0]
    assert found["HF_HUB_DISABLE_IMPLICIT_TOKEN"] == "1"


def test_gated_weights_bring_the_token_and_no_other_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    found = seen(tmp_path, pins_with(gated=True), Installation(devices=(f"gated-{os.getpid()}",)))
    assert {name for name in SECRETS if name in found} == {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}
    assert "HF_HUB_DISABLE_IMPLICIT_TOKEN" not in found


def test_who_gets_the_token() -> None:
    open_weights, gated = pins_with(gated=False), pins_with(gated=True)
    assert not asks_with_token(open_weights, Installation())
    assert asks_with_token(open_weights, Installation(token=True))
    assert asks_with_token(gated, Installation())
    assert not asks_with_token(gated, Installation(token=False))
    assert not asks_with_token(gated, Installation(offline=True))
    assert not asks_with_token(gated, Installation(weights={"own": "/a/folder"}))


def test_the_pins_name_what_they_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOR_THIS_BACKEND", "yes")
    pins = replace(pins_with(gated=False), environment=("FOR_THIS_BACKEND",))
    assert worker_environment({}, pins.environment)["FOR_THIS_BACKEND"] == "yes"
    assert "FOR_THIS_BACKEND" not in worker_environment({})


def test_the_doctor_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "backends.yaml"
    monkeypatch.setenv("SPECSIA_BACKENDS", str(path))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("FOR_THIS_BACKEND", "yes")
    path.write_text("crm: {environment: [FOR_THIS_BACKEND]}\n")
    shown = CliRunner().invoke(main, ["backends", "doctor", "crm"]).output
    assert "token: not given to the worker: none of the weights is gated" in shown
    (line,) = (line for line in shown.splitlines() if "environment: of the variables set here" in line)
    assert {"FOR_THIS_BACKEND", "PATH"} <= set(line.rpartition("gets ")[2].split(", "))
    path.write_text("crm: {token: true}\n")
    shown = CliRunner().invoke(main, ["backends", "doctor", "crm"]).output
    assert "token: given to the worker: the settings say 'token: true'" in shown
    assert "hf_secret" not in shown
