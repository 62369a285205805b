"""The training step as plainly written, to compare speed with: float32, two forwards, patches cut one by one.

Networks, losses, weights and batch are the training's own; what differs is how they are run. Frames are
decoded beforehand and kept in memory, so that no decoding is counted against it.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from specsia_build.dravie.config import ModelConfig, TrainConfig
from specsia_build.dravie.data.encoding import TARGET_CHANNELS, encode_input
from specsia_build.dravie.data.frames import PIXEL_BYTES, Extent, FrameArrays
from specsia_build.dravie.model.networks import (
    Enlarging,
    PerceptualLoss,
    build_discriminator,
    build_generator,
    discriminator_loss,
    generator_loss,
    gradient_loss,
    on_both_grounds,
)


class PatchDataset(Dataset[tuple[Tensor, Tensor]]):
    """Patches cut from arrays in memory, one in each call."""

    def __init__(self, frames: FrameArrays, size: int, model: ModelConfig) -> None:
        self.size = size
        self.rows = []
        margin = ((size, size), (size, size), (0, 0))
        for row in range(len(frames)):
            at = Extent(*map(int, frames.extents[row]))
            box = frames.pixels[at.offset :][: at.height * at.width * PIXEL_BYTES]
            box = np.pad(box.reshape(at.height, at.width, PIXEL_BYTES), margin)
            z, pos, gt = box[..., :4], box[..., [4, 5, 6, 3]], box[..., 7:11]
            seen: NDArray[np.float32] = encode_input(z, pos, model)
            target = encode_input(gt, gt, ModelConfig())[..., :TARGET_CHANNELS]
            self.rows.append((seen, target, np.argwhere((z[..., 3] > 0) | (gt[..., 3] > 0))))

    def __len__(self) -> int:
        return 1_000_000_000

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng(index)
        seen, target, centres = self.rows[rng.integers(len(self.rows))]
        y, x = centres[rng.integers(len(centres))] - self.size // 2
        box = np.s_[y : y + self.size, x : x + self.size]
        patches = [image[box] for image in (seen, target)]
        if rng.random() < 0.5:
            patches = [patch[:, ::-1] for patch in patches]
        first, second = (torch.from_numpy(patch.transpose(2, 0, 1).copy()) for patch in patches)
        return first, second


def plain(network: nn.Module) -> nn.Module:
    """The same network, each enlarging convolution an enlargement and a convolution, channels first."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Enlarging):
                convolution = nn.Conv2d(child.in_channels, child.out_channels, 3, padding=1)
                convolution.load_state_dict(child.state_dict())
                setattr(parent, name, nn.Sequential(nn.Upsample(scale_factor=2), convolution))
    return network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload,no-any-return]


def reference_steps(
    frames: FrameArrays, config: TrainConfig, perceptual: PerceptualLoss | None, device: torch.device
) -> Iterator[None]:
    """Train without end on frames, which are all kept decoded in memory; each item is a step that is done."""
    generator = plain(build_generator(config.model)).to(device)
    discriminator = plain(build_discriminator()).to(device)
    painter, judge = (
        torch.optim.Adam(net.parameters(), config.learning_rate, weight_decay=config.weight_decay)
        for net in (generator, discriminator)
    )
    patches = PatchDataset(frames, config.patch, config.model)
    for batch in DataLoader(patches, batch_size=config.batch, num_workers=1):
        inputs, targets = (patches.to(device) for patches in batch)

        judge.zero_grad()
        painted = generator(inputs).detach()
        discriminator_loss(discriminator(torch.cat((targets, painted)))).backward()
        judge.step()

        painter.zero_grad()
        painted = generator(inputs)
        outputs, truth = on_both_grounds(painted), on_both_grounds(targets)
        loss = config.l1 * (outputs - truth).abs().mean()
        loss = loss + config.gradient * gradient_loss(outputs, truth)
        loss = loss + config.adversarial * generator_loss(discriminator(painted))
        if perceptual is not None:
            loss = loss + config.perceptual_weight * perceptual.loss(painted[:, :3], targets[:, :3])
        loss.backward()
        painter.step()
        yield
