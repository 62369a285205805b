"""What `pyproject.toml` cannot say: two folders of the checkout are installed inside the package."""

from setuptools import find_packages, setup

MAPPED = {"specsia_build.blender_scripts": "blender_scripts", "specsia_build.manifests": "manifests"}

setup(
    packages=[*find_packages(include=["specsia_build*"]), *MAPPED, "specsia_build.manifests.backends"],
    package_dir=MAPPED,
    package_data={
        "": ["py.typed", "*.yaml"],
        "specsia_build.dravie": ["weights/*", "weights/checkpoints/*/*"],
        "specsia_build.report": ["assets/*"],
    },
)
