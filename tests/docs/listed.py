"""Blocks that cannot run here, each by its page and its first command, with the reason; their commands are parsed."""

from __future__ import annotations

CLUSTER = "it needs several machines; tests/pipeline builds on a cluster of one"
MEASURES = "it takes minutes, and characters that do not come along; tests/benchmarks runs the commands"
BLENDER = "it starts a Blender; tests/rendering/blender and tests/characters/blender run the scripts"
MINUTE = "it takes a minute; tests/repairing runs the command"
HOURS = "it takes hours, and characters that do not come along"
TESTS = "it runs tests"
UPSTREAM = "it needs the upstream project; tests/backends/upstream has stand-ins"

NOT_RUN = {
    ("README.md", "ray start --head --port 6379"): CLUSTER,
    ("docs/backends.md", "specsia backends doctor wonder3d"): UPSTREAM,
    ("docs/backends.md", "from specsia_worker import serve"): "it loads a model of the reader's own",
    ("docs/benchmarks.md", "python -m benchmarks stages KAYKIT-21"): MEASURES,
    ("docs/reliability.md", "pytest -m hostile"): TESTS,
    ("docs/repair.md", "specsia repair drawing.png --out hero"): MINUTE,
    ("docs/repair.md", "import specsia_build as specsia"): MINUTE,
    ("docs/rendering.md", "python -m benchmarks renderers characters.jsonl --against cycles"): BLENDER,
    (
        "specsia_build/dravie/weights/MODEL_CARD.md",
        "python -m benchmarks.validation_source OUT/source --samples 200 --seed 1 --license CC0-1.0 --characters "
        "everything.jsonl",
    ): HOURS,
}
