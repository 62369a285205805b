"""Train a network of your own with plain PyTorch: python train_on_pairs.py [DATASET] [STEPS] [FILE]."""

import sys

import torch
from torch import nn
from torch.nn.functional import l1_loss
from torch.utils.data import DataLoader

import specsia


class Net(nn.Sequential):
    """Paints Y* (4 channels) from Z, Zpos and where Z is (8 channels), each 0 to 1."""

    def __init__(self, width: int = 32) -> None:
        layers: list[nn.Module] = []
        for inputs in (8, width, width):
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.GELU()]
        super().__init__(*layers, nn.Conv2d(width, 4, 3, padding=1))


def planes(batch: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    """A batch's pictures (B, H, W, 4) uint8 as (B, 4, H, W) from 0 to 1, colours multiplied by alpha."""
    pixels = batch[name].permute(0, 3, 1, 2).float() / 255
    return torch.cat([pixels[:, :3] * pixels[:, 3:], pixels[:, 3:]], dim=1)


def main(dataset: str = "specsia-out/dataset", steps: str = "500", file: str = "net.pt") -> None:
    """Trains on the split `train`, and prints the error on `validation` beside that of Z."""
    torch.manual_seed(0)
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
    loader = DataLoader(specsia.open_dataset(dataset, split="train"), batch_size=2, shuffle=True)
    step = 0
    while step < int(steps):
        for batch in loader:
            seen = torch.cat([planes(batch, "color"), planes(batch, "pos")], dim=1)
            loss = l1_loss(net(seen), planes(batch, "gt"))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            step += 1
            if step == int(steps):
                break
    torch.save(net.state_dict(), file)

    net.eval()
    errors = torch.zeros(2)
    batches = DataLoader(specsia.open_dataset(dataset, split="validation"), batch_size=2)
    with torch.no_grad():
        for batch in batches:
            z, gt = planes(batch, "color"), planes(batch, "gt")
            repaired = net(torch.cat([z, planes(batch, "pos")], dim=1))
            errors += torch.stack([l1_loss(z, gt), l1_loss(repaired, gt)]) / len(batches)
    print(f"after {step} steps: L1 of Z {errors[0]:.4f}, repaired {errors[1]:.4f}; weights are in {file}")


if __name__ == "__main__":
    main(*sys.argv[1:])
