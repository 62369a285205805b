"""The list of packages, two of which lie beside `specsia_build` in the checkout."""

from setuptools import find_packages, setup

MAPPED = {"specsia_build.blender_scripts": "blender_scripts", "specsia_build.manifests": "manifests"}

DATA = {
    "specsia_build.backends.relief.weights": ["*"],
    "specsia_build.characters.weights": ["*"],
    "specsia_build.dravie.weights": ["*"],
    "specsia_build.dravie.weights.checkpoints": ["*/*"],
    "specsia_build.look.assets": ["*"],
    "specsia_build.web.assets": ["*"],
    "specsia_build.repairing.weights": ["*"],
    "specsia_build.rigging.weights": ["*"],
}
"""Data folders, which setuptools would warn about as missing packages."""

setup(
    packages=[
        *find_packages(include=["specsia", "specsia_build*"]),
        *MAPPED,
        "specsia_build.manifests.backends",
        *DATA,
    ],
    package_dir=MAPPED,
    package_data={"": ["py.typed", "*.yaml", "*.md", "*.glb", "*.json"], **DATA},
)
