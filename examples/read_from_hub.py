"""Read pairs from the Hub, or a folder: python read_from_hub.py OWNER/NAME [COUNT]."""

import sys
from itertools import islice

import numpy as np

import specsia


def main(dataset: str, count: str = "10") -> None:
    """Prints how far Z is from Y* on white, for the first pairs; only these are downloaded."""
    for pair in islice(specsia.open_dataset(dataset), int(count)):
        error = np.abs(on_white(pair.z) - on_white(pair.gt)).mean()
        print(f"{pair.uid}: {pair.z.shape[1]} x {pair.z.shape[0]} pixels, mean error {error:.3f}")


def on_white(picture: np.ndarray) -> np.ndarray:
    """Lay (H, W, 4) pixels with straight alpha on white; returns (H, W, 3) from 0 to 1."""
    alpha = picture[..., 3:] / 255
    return picture[..., :3] / 255 * alpha + 1 - alpha


if __name__ == "__main__":
    main(*sys.argv[1:])
