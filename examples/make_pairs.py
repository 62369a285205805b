"""Make the training pairs of one character: python make_pairs.py [CHARACTER] [BACKEND] [FOLDER]."""

import sys

import specsia


def main(character: str = "sample:1", backend: str = "relief", folder: str = "pairs") -> None:
    """Writes color/, mask/, pos/ (Z, Zmask, Zpos) and gt/ (Y*), and prints how well they match."""
    views = specsia.render(specsia.load(character), views=10, size=256)
    guess = specsia.reconstruct(views[0], backend, ground_truth=views.mesh)
    pairs = specsia.pair(guess, views)
    for pair in pairs:
        print(f"{pair.uid}: IoU {pair.iou:.3f}")
    print(
        f"{len(pairs)} pairs by {guess.backend}, mean IoU {pairs.mean_iou:.3f}, are in {pairs.save(folder)}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
