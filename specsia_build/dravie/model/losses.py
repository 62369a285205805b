"""Losses of a painted patch: L1, gradients, features of a fixed network, and the discriminator's score."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from specsia_build.errors import UsageError, brief

VGG19_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
"""torchvision's weights, trained on ImageNet; the name holds the beginning of their SHA-256."""

FEATURE_LAYERS = (0, 3, 5)  # Numbers of the compared layers in torchvision's VGG-19: conv1_1, relu1_2, conv2_1

RANDOM_SEED = 19


def on_both_grounds(patches: Tensor) -> Tensor:
    """Turn colour on white and alpha (N, 4, H, W) into colour on white and on black (N, 6, H, W), all in [-1, 1].

    Where both are right, RGBA is right on any background. If colour and alpha were compared separately, an uncertain
    edge would become pale and opaque: it would get the colour of an empty pixel and the alpha of a line.
    """
    white, alpha = patches[:, :3], patches[:, 3:]
    return torch.cat((white, white + alpha - 1), 1)


def gradient_loss(painted: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the horizontal and vertical gradients of two batches (N, C, H, W)."""
    error = painted - target
    across, down = error[..., 1:] - error[..., :-1], error[..., 1:, :] - error[..., :-1, :]
    return (across.abs().mean() + down.abs().mean()) / 2


def generator_loss(scores: Tensor) -> Tensor:
    """LSGAN loss of the generator: mean squared distance of scores from 1, the score of a real patch."""
    return functional.mse_loss(scores, torch.ones_like(scores))


def discriminator_loss(scores: Tensor) -> Tensor:
    """LSGAN loss of the discriminator for the scores of N real patches, then N painted ones."""
    real, painted = scores.chunk(2)
    return generator_loss(real) + painted.square().mean()


class Features(nn.Module):
    """The first three convolutions of VGG-19, under torchvision's names, and never trained.

    Colours in [-1, 1] are not normalised, as in the published model.
    """

    def __init__(self) -> None:
        super().__init__()
        first, second, third = nn.Conv2d(3, 64, 3, 1, 1), nn.Conv2d(64, 64, 3, 1, 1), nn.Conv2d(64, 128, 3, 1, 1)
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
        squares = [(p.float() - t.float()).square().sum() for p, t in zip(self(painted), features, strict=True)]
        count: int = sum(t.numel() for t in features)
        return torch.stack(squares).sum() / count


def find_features(perceptual: str) -> Features | None:
    """Return the network of the perceptual loss; raises `UsageError` if its weights cannot be read.

    `vgg19` is downloaded once into torch's cache; `random` has the same layers with random weights of a fixed seed.
    """
    if perceptual == "none":
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(RANDOM_SEED)
        features = Features()
        if perceptual == "random":
            for layer in features.features:
                if isinstance(layer, nn.Conv2d):
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if perceptual == "vgg19":
        try:
            weights = torch.hub.load_state_dict_from_url(
                VGG19_URL, map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
            features.load_state_dict({name: weights[name] for name in features.state_dict()})
        # torch raises many kinds of errors for a damaged file.
        except Exception as error:
            raise UsageError(
                f"VGG-19's weights cannot be loaded from {VGG19_URL} ({brief(str(error), 120)}): "
                "put that file into torch's cache, or give --perceptual random or none"
            ) from error
    features.requires_grad_(False).eval()
    return features.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
