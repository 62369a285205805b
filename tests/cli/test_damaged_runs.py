"""A finished run with one damaged file: every command repairs it or names the file."""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from specsia_build.cli import main
from tests.artefacts import contents
from tests.look.tiny_run import write_manifest

pytestmark = pytest.mark.usefixtures("no_workers")

PLACES = (
    "config.yaml",
    "splits.json",
    "specsia-run.json",
    "failures.jsonl",
    "state/index.sqlite",
    "state/left-out.json",
    "logs/tasks.jsonl",
    "dataset/build.json",
    "dataset/splits.json",
    "dataset/SHA256SUMS",
    "artefacts/project/relief/5f/0.tar",
)

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "nested": lambda _: b"[" * 200_000 + b"]" * 200_000 + b"\n",
    "other fields": lambda _: b'{"config": 5, "seconds": [], "shards": 3}\n',
    "cut short": lambda data: data[: len(data) // 2],
}


def specsia(*arguments: str) -> tuple[int, str]:
    """Run a command, and see that it ends done or with a sentence."""
    result = CliRunner().invoke(main, arguments)
    shown = f"{arguments[0]}: {result.output[-800:]} {result.exception!r}"
    assert result.exit_code in (0, 1, 2), shown
    assert result.exception is None or isinstance(result.exception, SystemExit), shown
    assert "Traceback" not in result.output and "please report" not in result.output, shown
    assert (result.exit_code != 0) == ("specsia: " in result.stderr), shown
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One character of four views; not to be changed."""
    top = tmp_path_factory.mktemp("finished")
    manifest = write_manifest(top, ("0",), ())
    small = ("--views", "4", "--size", "64", "--workers", "1")
    code, told = specsia("build", str(manifest), *small, "--out", str(top / "run"))
    assert code == 0, told
    return top / "run"


@pytest.mark.parametrize(("place", "damage"), [*zip(PLACES, itertools.cycle(DAMAGES), strict=False)])
def test_damaged_run_is_healed_or_named(place: str, damage: str, finished: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    path = run / place
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    for command in ("status", "report", "build"):
        code, told = specsia(command, "--out", str(run)) if command == "build" else specsia(command, str(run))
        assert code == 0 or path.name in told, told
        if command == "report" and place.startswith("artefacts"):
            assert "Damaged, made again" in told
    if code == 0:
        assert contents(run / "dataset") == contents(finished / "dataset")
