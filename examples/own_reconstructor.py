"""Judge a reconstructor of your own on a character: python own_reconstructor.py [CHARACTER]."""

import sys

import numpy as np
from scipy import ndimage
from skimage.measure import marching_cubes

import specsia


def reconstruct(picture: np.ndarray) -> specsia.Mesh:
    """A grey solid, as deep at each place as the silhouette's border is far away."""
    inside = ndimage.zoom(picture[..., 3], 64 / len(picture), order=1) > 127
    depth = np.pad(ndimage.distance_transform_edt(inside), 1)
    y = np.arange(-33, 33)[:, None, None]
    solid = depth.T[None] - np.abs(y)  # axes y, x, rows: depth, width, and height from top to bottom
    places, faces, _, _ = marching_cubes(solid.transpose(1, 0, 2), 0.0)  # type: ignore[no-untyped-call]
    vertices = (places - np.array([32.5, 33, 32.5])) * (1.35 / 64) * np.array([1, 1, -1])
    return specsia.Mesh(
        vertices=vertices.astype(np.float32),
        faces=faces.astype(np.int32),
        materials=(specsia.Material(base_color=(0.5, 0.5, 0.5, 1.0)),),
        face_material=np.zeros(len(faces), np.int32),
    )


def main(character: str = "sample:1") -> None:
    """Prints how well the solid and the default backend match the character's silhouettes."""
    views = specsia.render(specsia.load(character), views=8, size=256)
    own = specsia.pair(reconstruct(views[0].layers.color), views)
    guessed = specsia.pair(specsia.reconstruct(views[0]), views)
    print(f"mean IoU over {len(views)} views: own {own.mean_iou:.3f}, relief {guessed.mean_iou:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
