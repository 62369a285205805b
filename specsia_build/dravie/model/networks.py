"""The networks: two fully convolutional generators and the patch discriminator; and their losses.

`paper` follows the lineage of the published model (Texler et al. 2020, Interactive Video Stylization Using
Few-Shot Patch-Based Training): strided down to a quarter, residual blocks, up again with skip connections.
`tiny` is a small U-net without normalisation that a CPU trains in minutes. It blends the colours that a pixel
may have, or, without a drawing, adds a change to Z.
"""

from collections import OrderedDict
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from specsia_build.dravie.config import ModelConfig, Perceptual
from specsia_build.dravie.data.encoding import CANDIDATES, TARGET_CHANNELS, input_channels
from specsia_build.dravie.model.predictor import BLEND_BOUND, GEOMETRY, MASK_PULL, SHARPNESS, tiny_channels
from specsia_build.errors import UsageError, brief

PAPER_FILTERS, PAPER_BLOCKS = (32, 64, 128, 128, 128, 64), 7
DISCRIMINATOR_WIDTH = 12

VGG19_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
"""torchvision's weights, trained on ImageNet; the name holds the beginning of their SHA-256."""

SSIM_WINDOW = 7  # Pixels
SSIM_LIGHT, SSIM_STRUCTURE = 0.01**2, 0.03**2  # Constants for colours in 0…1
# Numbers of the compared layers in torchvision's VGG-19: conv1_1, relu1_2, conv2_1
FEATURE_LAYERS = (0, 3, 5)


class _Padded(nn.Module):
    """A generator for any height and width, which are padded to multiples and cropped."""

    multiple: int

    def paint(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        below, right = -height % self.multiple, -width % self.multiple
        if below or right:
            x = functional.pad(x, (0, right, 0, below), mode="replicate")
        return self.paint(x)[..., :height, :width]


def _double(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    first, second = nn.Conv2d(inputs, outputs, 3, stride, 1), nn.Conv2d(outputs, outputs, 3, 1, 1)
    return nn.Sequential(first, nn.LeakyReLU(0.2, inplace=True), second, nn.LeakyReLU(0.2, inplace=True))


class Tiny(_Padded):
    """U-net of four levels.

    With a drawing each pixel is a blend of candidate colours (Z, those looked up in the drawing, the
    contour's) with learnt weights, plus a small change, under a learnt alpha. Without a drawing it is the sum
    of Z and a change, which learns to copy slowly: after 3,000 steps its L1 on novel views was 1.25 times as
    large.
    """

    multiple = GEOMETRY["tiny"].multiple

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.blends = config.sees_drawing
        parts = tiny_channels(config)
        self.first = _double(*parts["first"])
        self.down = nn.ModuleList(_double(*parts[f"down.{level}"], 2) for level in range(3))
        self.up = nn.ModuleList(_double(*parts[f"up.{level}"]) for level in range(3))
        self.head = nn.Conv2d(*parts["head"], 3, 1, 1)

    def paint(self, x: Tensor) -> Tensor:
        levels = [self.first(x)]
        for down in self.down:
            levels.append(down(levels[-1]))
        features = levels.pop()
        for up in self.up:
            features = up(torch.cat((functional.interpolate(features, scale_factor=2.0), levels.pop()), 1))
        output = self.head(features)
        painted = _blend(x, output.float()) if self.blends else x[:, :TARGET_CHANNELS] + output
        # In training, overshoot must still be pulled back, and neither a clamp nor a far tanh has a gradient.
        return painted if self.training else painted.clamp(-1, 1)


def _blend(x: Tensor, output: Tensor) -> Tensor:
    """Colour on white and alpha (N, 4, H, W) from an input and the head's output: change, alpha, weights."""
    output = BLEND_BOUND * torch.tanh(output / BLEND_BOUND)
    weights = torch.softmax(SHARPNESS * output[:, TARGET_CHANNELS:], 1)
    # Bounded, as a free change grew without end in one of six trainings.
    colour = torch.tanh(output[:, :3])
    for number, first in enumerate(CANDIDATES):
        colour = colour + weights[:, number : number + 1] * x[:, first : first + 3]
    # Beside Z lies the line, for which networks blend white and black to grey: give it the contour's colour.
    ink = x[:, CANDIDATES[-1] : CANDIDATES[-1] + 3]
    colour = colour + (1 - x[:, 3:4]) / 2 * (ink - ink.mean(1, keepdim=True))
    alpha = torch.sigmoid(output[:, 3:4] + MASK_PULL * x[:, 3:4])
    return torch.cat((alpha * colour + (1 - alpha), 2 * alpha - 1), 1)


def _conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, size // 2)


class Enlarging(nn.Conv2d):
    """A 3×3 convolution after nearest upsampling by 2, as one transposed convolution of 2.25 times less work.

    Several of the nine taps meet the same pixel of the input, so their weights are summed first.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        taps = self.weight.flip(2, 3).flatten(0, 1).unsqueeze(1)
        summed = functional.conv2d(taps, taps.new_ones(1, 1, 2, 2), padding=1)
        kernel = summed.squeeze(1).unflatten(0, self.weight.shape[:2]).transpose(0, 1)
        return functional.conv_transpose2d(x, kernel, self.bias, stride=2, padding=1)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        layers = nn.ReLU(), _conv(width, width, 3), nn.BatchNorm2d(width), nn.ReLU(), _conv(width, width, 3)
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, x + self.body(x))


def _normed(inputs: int, outputs: int, size: int, stride: int, activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(_conv(inputs, outputs, size, stride), nn.BatchNorm2d(outputs), activation)


class Paper(_Padded):
    """U-shaped generator with seven residual blocks at a quarter of the size, batch norm and tanh."""

    multiple = GEOMETRY["paper"].multiple

    def __init__(self, channels: int) -> None:
        super().__init__()
        f = PAPER_FILTERS
        self.down0 = _normed(channels, f[0], 7, 1, nn.LeakyReLU(0.2))
        self.down1 = _normed(f[0], f[1], 3, 2, nn.LeakyReLU(0.2))
        self.down2 = _normed(f[1], f[2], 3, 2, nn.LeakyReLU(0.2))
        self.blocks = nn.Sequential(*(_Residual(f[2]) for _ in range(PAPER_BLOCKS)))
        self.up2 = nn.Sequential(Enlarging(f[2] + f[3], f[4]), nn.BatchNorm2d(f[4]), nn.ReLU())
        self.up1 = nn.Sequential(Enlarging(f[4] + f[1], f[4]), nn.BatchNorm2d(f[4]), nn.ReLU())
        self.join = nn.Sequential(_conv(f[4] + f[0] + channels, f[5], 7), nn.ReLU())
        layers = _conv(f[5], f[5], 3), nn.ReLU(), nn.BatchNorm2d(f[5]), _conv(f[5], f[5], 3), nn.ReLU()
        self.smooth = nn.Sequential(*layers)
        self.head = nn.Conv2d(f[5], TARGET_CHANNELS, 1)

    def paint(self, x: Tensor) -> Tensor:
        full = self.down0(x)
        half = self.down1(full)
        quarter = self.down2(half)
        features = self.blocks(quarter)
        features = self.up2(torch.cat((features, quarter), 1))
        features = self.up1(torch.cat((features, half), 1))
        features = self.smooth(self.join(torch.cat((features, full, x.to(features.dtype)), 1)))
        return torch.tanh(self.head(features))


CPU = torch.device("cpu")


class Generator(NamedTuple):
    """A trained network in evaluation mode, its configuration, and the device that it is on."""

    network: nn.Module
    config: ModelConfig
    device: torch.device = CPU


def build_generator(config: ModelConfig) -> nn.Module:
    """Build a generator, channels last, with new weights from torch's random generator.

    It maps (N, `input_channels`, H, W) to (N, 4, H, W), both in [-1, 1]; `tiny` may overshoot in training.
    """
    model = Tiny(config) if config.architecture == "tiny" else Paper(input_channels(config))
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def build_discriminator() -> nn.Module:
    """Build a two-layer patch discriminator with instance norm, channels last, with new weights.

    It maps (N, 4, H, W) to scores (N, 1, H', W'), 1 for real patches.
    """
    width = DISCRIMINATOR_WIDTH
    body = nn.Sequential(
        nn.Conv2d(TARGET_CHANNELS, width, 4, 2, 1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(width, 2 * width, 4, 2, 1),
        nn.InstanceNorm2d(2 * width),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(2 * width, 4 * width, 4, 1, 1),
        nn.InstanceNorm2d(4 * width),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(4 * width, 1, 4, 1, 1),
    )
    # Checkpoints hold the weights under `body`.
    module = nn.Sequential(OrderedDict(body=body))
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def on_both_grounds(patches: Tensor) -> Tensor:
    """Turn colour on white and alpha (N, 4, H, W) into colour on white and black (N, 6, H, W), in [-1, 1].

    Where both are right, RGBA is right on any background. If colour and alpha were compared separately, an
    uncertain edge would become pale and opaque, with the colour of an empty pixel and the alpha of a line.
    """
    white, alpha = patches[:, :3], patches[:, 3:]
    return torch.cat((white, white + alpha - 1), 1)


def gradient_loss(painted: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the horizontal and vertical gradients of two batches (N, C, H, W)."""
    error = painted - target
    across, down = error[..., 1:] - error[..., :-1], error[..., 1:, :] - error[..., :-1, :]
    return (across.abs().mean() + down.abs().mean()) / 2


class SimilarityLoss(nn.Module):
    """1 - SSIM (Wang et al. 2004) of every other window of `SSIM_WINDOW` pixels, as a perceptual loss."""

    def loss(self, painted: Tensor, target: Tensor) -> Tensor:
        """Mean over windows of two batches (N, 3, H, W) in [-1, 1]; 0 to 2, and 0 for equal ones."""
        a, b = ((side.float().contiguous() + 1) / 2 for side in (painted, target))
        means = functional.avg_pool2d(torch.cat((a, b, a * a, b * b, a * b)), SSIM_WINDOW, 2)
        x, y, xx, yy, xy = means.chunk(5)
        light = (2 * x * y + SSIM_LIGHT) / (x * x + y * y + SSIM_LIGHT)
        structure = (2 * (xy - x * y) + SSIM_STRUCTURE) / (xx - x * x + yy - y * y + SSIM_STRUCTURE)
        return 1 - (light * structure).mean()


def generator_loss(scores: Tensor) -> Tensor:
    """LSGAN loss of the generator: mean squared distance of scores from 1, the score of a real patch."""
    return functional.mse_loss(scores, torch.ones_like(scores))


def discriminator_loss(scores: Tensor) -> Tensor:
    """LSGAN loss of the discriminator for the scores of N real patches, then N painted ones."""
    real, painted = scores.chunk(2)
    return generator_loss(real) + painted.square().mean()


class VggFeatures(nn.Module):
    """The first three convolutions of VGG-19, under torchvision's names, and never trained.

    Colours in [-1, 1] are not normalised, as in the published model.
    """

    def __init__(self) -> None:
        super().__init__()
        first = nn.Conv2d(3, 64, 3, 1, 1)
        second = nn.Conv2d(64, 64, 3, 1, 1)
        third = nn.Conv2d(64, 128, 3, 1, 1)
        self.features = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.MaxPool2d(2, 2), third)

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in FEATURE_LAYERS:
                levels.append(x)
        return levels

    def loss(self, painted: Tensor, target: Tensor) -> Tensor:
        """Mean squared difference of all features of two batches (N, 3, H, W)."""
        with torch.no_grad():
            features = self(target)
        pairs = zip(self(painted), features, strict=True)
        squares = [(p.float() - t.float()).square().sum() for p, t in pairs]
        count: int = sum(t.numel() for t in features)
        return torch.stack(squares).sum() / count


PerceptualLoss = VggFeatures | SimilarityLoss


def find_perceptual_loss(perceptual: Perceptual) -> PerceptualLoss | None:
    """Return the perceptual loss, None for `none`.

    Weights of `vgg19` are downloaded once into torch's cache; raises `UsageError` if they cannot be read.
    """
    if perceptual != "vgg19":
        return SimilarityLoss() if perceptual == "ssim" else None
    features = VggFeatures()
    try:
        weights = torch.hub.load_state_dict_from_url(
            VGG19_URL, map_location="cpu", progress=False, check_hash=True, weights_only=True
        )
        features.load_state_dict({name: weights[name] for name in features.state_dict()})
    # torch raises many kinds of errors for a damaged file.
    except Exception as error:
        raise UsageError(
            f"VGG-19's weights cannot be loaded from {VGG19_URL} ({brief(str(error), 120)}): "
            "put that file into torch's cache, or give --perceptual none"
        ) from error
    features.requires_grad_(False).eval()
    return features.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
