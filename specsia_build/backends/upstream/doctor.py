"""What is there and what is missing for a bridge to an upstream project, and the command that mends it."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion

from specsia_build.backends.upstream.contract import Used, check
from specsia_build.backends.upstream.environment import TOKENS, passed, worker_environment
from specsia_build.backends.upstream.pins import (
    BRIDGES,
    Installation,
    Pins,
    Weights,
    asks_with_token,
    checkout_commit,
    gated_weights,
)
from specsia_build.folders import expanded

OK, NOTE, MISSING = "ok", "note", "missing"
"""It is there; it is there but not as pinned; it is not there."""

_ASK_VERSIONS = """
import json, sys
from importlib import metadata, util
# Modules of the checkout, which is the working directory, must not pass for installed ones.
sys.path = [path for path in sys.path if path]
packages, imports = json.loads(sys.argv[1])
found = {"python": "%d.%d.%d" % sys.version_info[:3], "packages": {}}
for name in packages:
    try:
        found["packages"][name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
found["imports"] = [name for name in imports if util.find_spec(name) is not None]
print(json.dumps(found))
"""

_ASK_TORCH = "import torch; print(torch.cuda.device_count() if torch.cuda.is_available() else 0)"


@dataclass(frozen=True)
class Check:
    """One thing that a bridge needs.

    Attributes:
        name: what it is.
        state: `OK`, `NOTE` or `MISSING`.
        found: what is there, or what is wrong, in words.
        mend: command that mends it, or empty.
    """

    name: str
    state: str
    found: str
    mend: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """Everything about one bridge.

    Attributes:
        name: of the bridge.
        checks: in the order in which they are to be mended.
        contract: what the worker uses of the checkout; empty without one.
    """

    name: str
    checks: tuple[Check, ...]
    contract: tuple[Used, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is missing."""
        return all(found.state != MISSING for found in self.checks)


def diagnose(pins: Pins, place: Installation) -> Diagnosis:
    """Look for everything that a bridge needs; nothing is changed, loaded or fetched."""
    there = place.root is not None and place.root.is_dir()
    contract = check(place.root, [BRIDGES / s for s in pins.scripts]) if there and place.root is not None else []
    checks = [_checkout(pins, place), *_commit(pins, place), *_environment(pins, place)]
    checks += [*_all_weights(pins, place), _token(pins, place), _variables(pins, place)]
    checks += [_gpu(pins, place), *_contract(pins, place, contract)]
    return Diagnosis(pins.name, tuple(checks), tuple(contract))


def _checkout(pins: Pins, place: Installation) -> Check:
    root = Path(pins.repository.rpartition("/")[2]) if place.root is None else place.root
    get = f"git clone {pins.repository} {_q(root)} && git -C {_q(root)} checkout {pins.commit}"
    if place.root is None:
        variable = f"SPECSIA_{pins.name.upper()}_ROOT"
        return Check("checkout", MISSING, f"nobody says where it is: --root, or {variable}", get)
    if not place.root.is_dir():
        return Check("checkout", MISSING, f"there is no folder {place.root}", get)
    return Check("checkout", OK, str(place.root))


def _commit(pins: Pins, place: Installation) -> Iterator[Check]:
    if place.root is None or not place.root.is_dir():
        return
    found = checkout_commit(place.root)
    mend = f"git -C {_q(place.root)} fetch && git -C {_q(place.root)} checkout {pins.commit}"
    if found is None:
        yield Check("commit", NOTE, "cannot be told: the folder is no git checkout")
    elif found != pins.commit:
        yield Check("commit", NOTE, f"{found[:12]}, while the bridge was written against {pins.commit[:12]}", mend)
    else:
        yield Check("commit", OK, found)


def _environment(pins: Pins, place: Installation) -> Iterator[Check]:
    make = f"conda create -n {pins.name} python={pins.python}"
    if place.python is None:
        variable = f"SPECSIA_{pins.name.upper()}_PYTHON"
        yield Check("python", MISSING, f"nobody says which: --python, or {variable}", make)
        return
    asked = json.dumps([list(pins.packages), list(pins.imports)])
    ran = _run([str(place.python), "-c", _ASK_VERSIONS, asked], place)
    try:
        found: Mapping[str, Any] = json.loads(ran or "")
    except ValueError:
        yield Check("python", MISSING, f"{place.python} does not run", make)
        return
    exact = found["python"].startswith(f"{pins.python}.")
    yield Check(
        "python",
        OK if exact else NOTE,
        f"{place.python} ({found['python']}{'' if exact else f'; upstream says {pins.python}'})",
    )
    for name, wanted in pins.packages.items():
        yield _package(place, name, wanted, found["packages"].get(name))
    for name, requirement in pins.imports.items():
        there = name in found["imports"]
        mend = "" if there else f"{_q(place.python)} -m pip install {_q(requirement)}"
        yield Check(f"module {name}", OK if there else MISSING, "installed" if there else "not installed", mend)


def _package(place: Installation, name: str, wanted: str, found: str | None) -> Check:
    mend = f"{_q(place.python)} -m pip install {_q(name + _specifier(wanted))}"
    label = f"package {name}"
    if found is None:
        return Check(label, MISSING, "not installed", mend)
    if not matches(found, wanted):
        return Check(label, NOTE, f"{found}, while upstream says {wanted}", mend)
    return Check(label, OK, found)


def matches(found: str, wanted: str) -> bool:
    """Whether a version is as wanted: ``>=1.2``, ``<2`` or ``1.2.3``, whatever follows a plus sign."""
    try:
        return SpecifierSet(_specifier(wanted)).contains(found, prereleases=True)
    except InvalidVersion:
        return False


def _specifier(wanted: str) -> str:
    return wanted if wanted[0] in "<>" else f"=={wanted}"


def _all_weights(pins: Pins, place: Installation) -> Iterator[Check]:
    for weights in pins.weights:
        label = f"weights {weights.name}"
        if weights.path is not None:
            yield _file_weights(weights, place, label)
            continue
        source = place.weights.get(weights.name, weights.source or "")
        revision = None if weights.name in place.weights else weights.revision
        folder = expanded(source) if expanded(source).is_dir() else _cached(source, revision)
        gone = [] if folder is None else [name for name in weights.files if not (folder / name).is_file()]
        mend = " ".join(["hf download", source, *weights.files, *(["--revision", revision] if revision else [])])
        if folder is None:
            yield Check(label, MISSING, f"{source} is not in the cache of the Hugging Face Hub", mend)
        elif gone:
            yield Check(label, MISSING, f"{folder} lacks {', '.join(gone)}", mend)
        else:
            yield Check(label, OK, str(folder))


def _file_weights(weights: Weights, place: Installation, label: str) -> Check:
    path = expanded(weights.path or "")
    if not path.is_absolute() and place.root is not None:
        path = place.root / path
    before = "" if place.root is None else f"cd {_q(place.root)} && "
    return (
        Check(label, OK, str(path))
        if path.is_file()
        else Check(
            label,
            MISSING,
            f"there is no file {path}",
            before + weights.fetch.format(python=_q(place.python or "python")),
        )
    )


def _cached(repository: str, revision: str | None) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def _token(pins: Pins, place: Installation) -> Check:
    gated = gated_weights(pins, place)
    why = f"the weights {', '.join(gated)} are gated" if gated else "none of the weights is gated"
    if place.offline:
        return Check("token", OK, "not given to the worker: it is offline")
    if place.token is not None:
        why = f"the settings say 'token: {str(place.token).lower()}'"
    if not asks_with_token(pins, place):
        return Check("token", OK, f"not given to the worker: {why}")
    from huggingface_hub import get_token

    if get_token() is None:
        return Check("token", NOTE, f"{why}, but there is none", "hf auth login")
    return Check("token", OK, f"given to the worker: {why}")


def _variables(pins: Pins, place: Installation) -> Check:
    names = passed((*pins.environment, *place.environment))
    shown = ", ".join(name for name in names if name not in TOKENS or name in place.environment)
    return Check("environment", OK, f"of the variables set here the worker gets {shown or 'none'}")


def _gpu(pins: Pins, place: Installation) -> Check:
    smi = shutil.which("nvidia-smi")
    query = ["--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits"]
    lines = (_run([smi, *query], place) or "").strip().splitlines() if smi else []
    if not lines:
        return Check("GPU", MISSING, "no NVIDIA GPU is to be seen (nvidia-smi)")
    found = "; ".join(" ".join(line.split()) for line in lines) + " MiB"
    need = pins.memory.get("gpu_gb")
    largest = max(float(line.rpartition(",")[2]) / 1024 for line in lines)
    if need is not None and largest < float(need) * 0.95:
        return Check("GPU", NOTE, f"{found}, while {pins.name} wants {need} GB")
    if place.python is not None and (_run([str(place.python), "-c", _ASK_TORCH], place) or "0").strip() == "0":
        return Check("GPU", MISSING, f"{found}, but torch of {place.python} does not see one")
    return Check("GPU", OK, found)


def _contract(pins: Pins, place: Installation, contract: Sequence[Used]) -> Iterator[Check]:
    if place.root is None or not contract:
        return
    gone = list(dict.fromkeys(used.missing for used in contract if used.missing is not None))
    mend = f"git -C {_q(place.root)} checkout {pins.commit}"
    if not gone:
        yield Check("contract", OK, f"all {len(contract)} things that the worker uses are there")
    yield from (Check("contract", MISSING, reason, mend) for reason in gone)


def _run(command: Sequence[str], place: Installation) -> str | None:
    """What a command prints, None if it fails."""
    cwd = place.root if place.root is not None and place.root.is_dir() else None
    environment = worker_environment({}, place.environment)
    try:
        ran = subprocess.run(  # noqa: S603  the user's own interpreter
            command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ran.stdout if ran.returncode == 0 else None


def _q(value: object) -> str:
    return shlex.quote(str(value))
