"""Devices of torch, and predictors of its networks."""

from threading import Lock

import numpy as np
import torch

from specsia_build.arrays import Floats
from specsia_build.config import checked
from specsia_build.dravie.config import Device
from specsia_build.dravie.model.networks import Generator
from specsia_build.dravie.model.predictor import Predictor, tiny_predictor
from specsia_build.errors import SpecsiaError, UsageError


def find_device(name: str) -> torch.device:
    """Return the device for `auto`, `cpu` or `cuda`; raises `UsageError` if there is none."""
    checked("device", name, Device)
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "--device cuda: torch finds no CUDA device here; give --device cpu, or install torch for CUDA"
        )
    return torch.device("cpu" if name == "cpu" or not torch.cuda.is_available() else "cuda")


def computes_in_bf16(device: torch.device, precision: str = "auto") -> bool:
    """Return whether a device computes in bfloat16 at a precision, see `TrainConfig`."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


def predictor_of(generator: Generator) -> Predictor:
    """Make a predictor of a generator in evaluation mode.

    On the CPU `tiny` is compiled, so that it gives the same with and without torch. Others run in torch, in
    bfloat16 where that is faster, one frame at a time, and raise `SpecsiaError` if the device's memory is too
    small.
    """
    network, config, device = generator
    weights = {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
    if config.architecture == "tiny" and device.type == "cpu":
        return tiny_predictor(config, weights)
    bf16, turn = computes_in_bf16(device), Lock()

    def predict(x: Floats) -> Floats:
        picture = torch.from_numpy(x).permute(2, 0, 1)[None]
        try:
            picture = picture.to(device).contiguous(memory_format=torch.channels_last)
            # Threads share the device's memory and all cores.
            with turn, torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                output = network(picture)[0].float().permute(1, 2, 0)
        except torch.OutOfMemoryError as error:
            raise SpecsiaError(
                "the device has too little free memory to repair a frame: give --device cpu"
            ) from error
        return np.asarray(output.cpu().numpy())

    return Predictor(config, predict, weights)
