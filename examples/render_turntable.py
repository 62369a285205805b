"""Render a turntable of a character: python render_turntable.py [CHARACTER] [FOLDER]."""

import sys

from PIL import Image

import specsia


def main(character: str = "sample:1", folder: str = "turntable") -> None:
    """Writes a picture of each of 24 views, and all of them as an animation."""
    loaded = specsia.load(character)
    for warning in loaded.warnings:
        print(f"{loaded.entry.id}: {warning}")
    views = specsia.render(loaded, views=24, size=256)
    where = views.save(folder)
    frames = [Image.fromarray(view.target) for view in views]
    frames[0].save(where / "turntable.webp", save_all=True, append_images=frames[1:], duration=80, loop=0)
    print(f"{len(views)} views of {views.character_id} are in {where}")


if __name__ == "__main__":
    main(*sys.argv[1:])
