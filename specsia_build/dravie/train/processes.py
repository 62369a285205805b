"""Where a training computes: the device, and the other processes where torchrun started several."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from specsia_build.config import check_choice
from specsia_build.dravie.config import DEVICES
from specsia_build.errors import UsageError


class Processes(NamedTuple):
    """This process among those that train together; the first one writes and speaks for all."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0


def find_device(name: str) -> torch.device:
    """The device that `auto`, `cpu` or `cuda` stands for in this process.

    Raises:
        UsageError: if it is none of these, or `cuda` is asked for and not there.
    """
    check_choice("device", name, DEVICES)
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch finds no CUDA device here; say --device cpu, or install torch for CUDA")
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Join the processes of `torchrun`, if it started this one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(torch.distributed.get_rank(), torch.distributed.get_world_size())
    finally:
        torch.distributed.destroy_process_group()


def wrapper(processes: Processes, device: torch.device) -> Callable[[nn.Module], Callable[[Tensor], Tensor]]:
    """What makes a network's forward for training: gradients averaged over the processes, compiled on a GPU.

    On a CPU compiling does not pay: see docs/dravie.md.
    """

    def wrap(module: nn.Module) -> Callable[[Tensor], Tensor]:
        if processes.world > 1:
            module = DistributedDataParallel(module, device_ids=[device] if device.type == "cuda" else None)
        return torch.compile(module) if device.type == "cuda" else module

    return wrap
