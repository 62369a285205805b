"""Train on a packed dataset and repair a row of it: python train_on_pairs.py [DATASET] [STEPS] [RUN]."""

import sys

from PIL import Image
from torch.utils.data import DataLoader

import specsia


def main(dataset: str = "specsia-out/dataset", steps: str = "500", run: str = "trained") -> None:
    """Trains DraViE, and writes Z, its repair and Y* of a test row side by side; a model of your own takes
    batches."""
    data = specsia.open_dataset(dataset)
    batch = next(iter(DataLoader(data, batch_size=4, shuffle=True)))
    print(
        f"{len(data)} rows; a batch of yours holds color {tuple(batch['color'].shape)}, gt "
        f"{tuple(batch['gt'].shape)}"
    )
    model = specsia.train(data, preset="tiny", steps=int(steps), out=run)
    row = specsia.open_dataset(dataset, split="test")[0]
    pictures = [Image.fromarray(picture) for picture in (row["color"], model.enhance(row), row["gt"])]
    sheet = Image.new("RGBA", (sum(p.width for p in pictures), pictures[0].height), "white")
    for number, picture in enumerate(pictures):
        sheet.paste(picture, (number * picture.width, 0), picture)
    sheet.save(model.run / "repaired.png")
    print(
        f"the model is in {model.run}, a repaired view of {row['character_id']} in "
        f"{model.run / 'repaired.png'}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
