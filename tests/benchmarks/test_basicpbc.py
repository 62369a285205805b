"""What takes the place of compiled operations in BasicPBC's training gives what they would, and its log is read."""

from __future__ import annotations

import torch

from benchmarks.basicpbc import curve_of, deformed, scatter_mean


def test_means_are_those_of_each_number() -> None:
    values, numbers = torch.rand(1, 4, 50), torch.arange(50) % 6
    found = scatter_mean(values, numbers, "mean")
    assert found.shape == (1, 4, 6)
    for number in range(6):
        assert torch.allclose(found[..., number], values[..., numbers == number].mean(-1))


def test_taps_that_are_all_moved_alike_see_the_picture_moved() -> None:
    picture, weight, bias = torch.rand(1, 3, 20, 24), torch.rand(5, 3, 3, 3), torch.rand(5)
    plain = torch.nn.functional.conv2d(picture, weight, bias, padding=1)
    still = torch.zeros(1, 18, 20, 24)
    assert torch.allclose(deformed(picture, still, weight, bias, 1, None), plain, atol=1e-4)
    moved = torch.tensor([1.0, 2.0]).repeat(9)[None, :, None, None].expand_as(still)
    seen = deformed(picture, moved, weight, None, 1, torch.full((1, 9, 20, 24), 0.5))
    assert torch.allclose(seen[..., 1:-2, 1:-3] * 2 + bias[:, None, None], plain[..., 2:-1, 3:-1], atol=1e-4)


def test_the_log_of_training_is_read() -> None:
    line = "[basic..][epoch:  0, iter:   1,022, lr:(1.000e-04,)] [eta: 0:01:00, time (data): 8.5 (0.0)] "
    line += "acc: 2.5000e-01 area_acc: 8.2e-01 valid_acc: 2.1e-01 loss_total: 2.7942e+00 "
    assert curve_of(f"INFO: start\n{line}\nINFO: end") == [(1022, 2.7942, 0.25)]
