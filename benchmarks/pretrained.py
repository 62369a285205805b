"""The model that comes with the package, made of a run of `make pretrained`.

python -m benchmarks.pretrained RUN OUT
"""

import hashlib
import json
from pathlib import Path

import click
import torch
from safetensors.torch import save

from specsia_build.dravie.model.checkpoint import MODEL_FILE, load_generator
from specsia_build.dravie.runs import CHECKPOINTS_FOLDER, RUN_FILE, SEEN_FILE, STATE_FILE, checkpoints
from specsia_build.errors import UsageError
from specsia_build.files.records import read_json
from specsia_build.files.writing import write_bytes

_LEFT_OUT = ("where",)  # In a run's record: path of its dataset on the machine that trained it


def write_pretrained(run: Path, out: Path) -> Path:
    """Write a run's last checkpoint as a run without what only training needs, its weights in float16.

    A card that lies in `out` stays; UsageError if it holds a checkpoint of another step. Returns the weights.
    """
    model = load_generator(run).network
    last = checkpoints(run)[-1]
    if any(there.name != last.name for there in checkpoints(out)):
        raise UsageError(f"{out / CHECKPOINTS_FOLDER} holds a checkpoint of another step: delete it first")
    halves = {name: tensor.to(torch.float16).contiguous() for name, tensor in model.state_dict().items()}
    weights = out / CHECKPOINTS_FOLDER / last.name / MODEL_FILE
    write_bytes(weights, save(halves))
    write_bytes(weights.parent / STATE_FILE, (last / STATE_FILE).read_bytes())
    record = {name: value for name, value in read_json(run / RUN_FILE).items() if name not in _LEFT_OUT}
    write_bytes(out / RUN_FILE, json.dumps(record, indent=1).encode())
    seen = read_json(run / SEEN_FILE)
    seen["training"] = _once(seen["training"])
    write_bytes(out / SEEN_FILE, json.dumps(seen, separators=(",", ":")).encode())
    return weights


def _once(training: dict[str, dict[str, list[str]]]) -> dict[str, dict[str, list[str]]]:
    """Leave out characters whose views an earlier configuration has too: Y* is the same for all backends."""
    earlier: set[str] = set()
    kept: dict[str, dict[str, list[str]]] = {}
    for config, characters in training.items():
        kept[config] = {name: views for name, views in characters.items() if not earlier.issuperset(views)}
        earlier.update(view for views in characters.values() for view in views)
    return kept


@click.command()
@click.argument("run", type=click.Path(file_okay=False, path_type=Path))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
def main(run: Path, out: Path) -> None:
    """Write the last checkpoint of RUN to OUT as the model that comes with the package."""
    data = write_pretrained(run, out).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    click.echo(f"{len(data):,} bytes, SHA-256 {digest}: state it in {out}/MODEL_CARD.md")


if __name__ == "__main__":
    main()
