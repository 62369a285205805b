"""LPIPS, CLIP and FID: absent with a sentence where they cannot be had, and what they are where they can."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from specsia_build.dravie.evaluate import perceptual
from specsia_build.dravie.evaluate.perceptual import FID, LPIPS, Perceptual, fid_between, find_perceptual
from specsia_build.errors import UsageError
from tests.dravie.drawn import drawn_pair

CPU = torch.device("cpu")


def test_what_is_not_installed_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("lpips", "open_clip", "torch_fidelity", "torch_fidelity.feature_extractor_inceptionv3"):
        monkeypatch.setitem(sys.modules, name, None)
    found, notes = find_perceptual(None, CPU)
    assert not found
    assert [note.split(":")[0] for note in notes] == ["LPIPS is absent", "CLIP is absent", "FID is absent"]
    assert "pip install torch-fidelity" in notes[2]
    look = found.look(drawn_pair().gt)
    assert found.compare(look, look) == {}


def test_weights_that_cannot_be_had_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(folder: Path | None, device: torch.device) -> None:
        perceptual._tensors(LPIPS, folder)

    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    for name in ("_make_lpips", "_make_clip", "_make_fid"):
        monkeypatch.setattr(perceptual, name, offline)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", unreachable)
    found, notes = find_perceptual(tmp_path, CPU)
    assert not found and all("cannot be had (no route to host)" in note for note in notes)
    assert LPIPS.file in notes[0] and "--weights" in notes[0]
    torch.save({"features.0.bias": torch.zeros(3)}, tmp_path / LPIPS.file)
    (tmp_path / FID.file).write_bytes(b"no tensors")
    monkeypatch.undo()
    with pytest.raises(UsageError, match="there is no folder"):
        find_perceptual(tmp_path / "none", CPU)


@pytest.mark.parametrize("content", [b"", b"no tensors"])
def test_damaged_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(perceptual, "_make_lpips", lambda folder, device: perceptual._tensors(LPIPS, folder))
    (tmp_path / LPIPS.file).write_bytes(content)
    with pytest.raises(UsageError, match="does not hold the weights of LPIPS"):
        find_perceptual(tmp_path, CPU)


def test_scores_of_networks() -> None:
    found = Perceptual(
        CPU,
        lpips=lambda one, two: (one - two).abs().mean(),
        clip=lambda pixels: pixels.float().mean(dim=(2, 3)),
    )
    pair = drawn_pair()
    truth, result = found.look(pair.gt), found.look(pair.z)
    assert found.compare(truth, truth) == {"lpips": 0, "clip": pytest.approx(1)}
    worse = found.compare(result, truth)
    assert worse["lpips"] > 0 and worse["clip"] < 1 and truth.fid is None


def test_the_packages_themselves(tmp_path: Path) -> None:
    """Random weights under the names of the real files: what is read, is used."""
    pytest.importorskip("lpips")
    pytest.importorskip("torch_fidelity")
    import torchvision
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    torch.manual_seed(0)
    torch.save(torchvision.models.alexnet(weights=None).state_dict(), tmp_path / LPIPS.file)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch, "load", lambda *_, **__: {})
        patched.setattr(torch.nn.Module, "load_state_dict", lambda *_, **__: None)
        inception = FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path="none")
    torch.save(inception.state_dict(), tmp_path / FID.file)
    lpips = perceptual._make_lpips(tmp_path, CPU)
    fid = perceptual._make_fid(tmp_path, CPU)
    found = Perceptual(CPU, lpips=lpips, fid=fid)
    looks = [found.look(drawn_pair(shift=k).gt) for k in (0, 4)]
    assert found.compare(looks[0], looks[0])["lpips"] == 0
    other = found.look(drawn_pair(shift=9, colour=(10, 200, 90)).z)
    assert found.compare(other, looks[0])["lpips"] > 0
    features = [look.fid for look in looks if look.fid is not None]
    assert features[0].shape == (1, 2048) and len(features) == 2
    assert fid_between([features[0]], [features[1]]) is None
    (tmp_path / LPIPS.file).write_bytes(b"no tensors")
    with pytest.raises(UsageError, match="does not hold the weights of LPIPS"):
        find_perceptual(tmp_path, CPU)
