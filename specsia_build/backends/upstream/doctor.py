"""Check an installation of an upstream project, with the command that fixes what it lacks."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet

from specsia_build.backends.upstream.pins import Installation, Pins, Weights, checkout_commit
from specsia_build.folders import expanded
from specsia_build.processes import worker_environment

PASSED, ABSENT = "ok", "missing"  # States of a check
NOTE = "note"  # State of a check that differs from the pins

_ASK_VERSIONS = """
import json, sys
from importlib import metadata, util
sys.path = [path for path in sys.path if path]
packages, imports = json.loads(sys.argv[1])
versions = {}
for name in packages:
    try:
        versions[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
modules = [name for name in imports if util.find_spec(name) is not None]
print(json.dumps(["%d.%d.%d" % sys.version_info[:3], versions, modules]))
"""

_ASK_TORCH = "import torch; print(torch.cuda.device_count() if torch.cuda.is_available() else 0)"


@dataclass(frozen=True)
class Check:
    """A requirement of a bridge, its state, details, and the command that fixes it (or empty)."""

    name: str
    state: str
    details: str
    fix: str = ""


def diagnose(pins: Pins, place: Installation) -> list[Check]:
    """Check everything that a bridge needs, in the order of fixing; nothing is changed, loaded or fetched."""
    weights = (_weights(item, place) for item in pins.weights)
    return [*_checkout(pins, place), *_python(pins, place), *weights, _gpu(pins, place)]


def _checkout(pins: Pins, place: Installation) -> Iterator[Check]:
    """Folder, commit, and the files and names that the bridge uses."""
    root = _q(place.root or pins.repository.rpartition("/")[2])
    checkout = f"git -C {root} checkout {pins.commit}"
    if place.root is None or not place.root.is_dir():
        lack = f"no folder {place.root or ''}: --root, SPECSIA_{pins.name.upper()}_ROOT"
        yield Check("checkout", ABSENT, lack, f"git clone {pins.repository} {root} && {checkout}")
        return
    yield Check("checkout", PASSED, str(place.root))
    commit, update = checkout_commit(place.root), f"git -C {root} fetch && {checkout}"
    other = "" if commit == pins.commit else f"; the bridge was written against {pins.commit}"
    yield Check("commit", NOTE if other else PASSED, f"{commit or 'unknown'}{other}", update if other else "")
    missing, count = missing_names(pins, place.root), sum(map(len, pins.uses.values()))
    complete = f"all {len(pins.uses)} files and {count} names that the bridge uses exist"
    details = "; ".join(missing) or complete
    yield Check("names", ABSENT if missing else PASSED, details, update if missing else "")


def missing_names(pins: Pins, root: Path) -> list[str]:
    """List the files and names that a bridge uses and a checkout lacks, by a search through its text."""
    missing = []
    for file, names in pins.uses.items():
        try:
            text = (root / file).read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            missing.append(f"{file} cannot be read: {error.strerror}")
            continue
        parts = dict.fromkeys(part for name in names for part in name.split("."))
        absent = [part for part in parts if not re.search(rf"\b{re.escape(part)}\b", text)]
        missing += [f"{file} has no {part}" for part in absent]
    return missing


def _python(pins: Pins, place: Installation) -> Iterator[Check]:
    """The interpreter and its packages."""
    create = f"conda create -n {pins.name} python={pins.python}"
    if place.python is None:
        yield Check("python", ABSENT, f"not given: --python, SPECSIA_{pins.name.upper()}_PYTHON", create)
        return
    question = json.dumps([list(pins.packages), list(pins.imports)])
    try:
        printed = _run([str(place.python), "-c", _ASK_VERSIONS, question], place)
        python, versions, modules = json.loads(printed)
    except ValueError:
        yield Check("python", ABSENT, f"{place.python} does not run", create)
        return
    remark = "" if python.startswith(f"{pins.python}.") else f"; upstream says {pins.python}"
    yield Check("python", NOTE if remark else PASSED, f"{place.python} ({python}{remark})")
    required = {n: v if v[0] in "<>" else f"=={v}" for n, v in pins.packages.items()}
    absent = {name: name + required[name] for name in required if name not in versions}
    absent |= {name: source for name, source in pins.imports.items() if name not in modules}
    others = [n for n, v in versions.items() if not SpecifierSet(required[n]).contains(v, prereleases=True)]
    lacks = [f"not installed: {', '.join(absent)}"] if absent else []
    lacks += [f"{name} is {versions[name]}, and upstream has {required[name]}" for name in others]
    requirements = map(_q, [*absent.values(), *(name + required[name] for name in others)])
    install = f"{_q(place.python)} -m pip install {' '.join(requirements)}" if lacks else ""
    there = f"all {len(required) + len(pins.imports)} that the bridge needs"
    state = ABSENT if absent else NOTE if others else PASSED
    yield Check("packages", state, "; ".join(lacks) or there, install)


def _weights(weights: Weights, place: Installation) -> Check:
    label = f"weights {weights.name}"
    if weights.path is not None:
        path = (place.root or Path()) / expanded(weights.path)
        if path.is_file():
            return Check(label, PASSED, str(path))
        before = "" if place.root is None else f"cd {_q(place.root)} && "
        fetch = before + weights.fetch.format(python=_q(place.python or "python"))
        return Check(label, ABSENT, f"there is no file {path}", fetch)
    source, revision = place.source_of(weights)
    fetch = " ".join(["hf download", source, *weights.files, *(["--revision", revision] if revision else [])])
    folder = expanded(source)
    if not folder.is_dir():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        try:
            folder = Path(snapshot_download(source, revision=revision, local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError):
            return Check(label, ABSENT, f"{source} is not in the cache of the Hugging Face Hub", fetch)
    absent = [name for name in weights.files if not (folder / name).is_file()]
    lack = f" lacks {', '.join(absent)}" if absent else ""
    return Check(label, ABSENT if absent else PASSED, f"{folder}{lack}", fetch if absent else "")


def _gpu(pins: Pins, place: Installation) -> Check:
    smi = shutil.which("nvidia-smi")
    query = ["--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits"]
    lines = _run([smi, *query], place).strip().splitlines() if smi else []
    if not lines:
        runs = pins.memory.get("cpu")
        lack = f"nvidia-smi shows no NVIDIA GPU{'; it runs on the CPU' if runs else ''}"
        return Check("GPU", NOTE if runs else ABSENT, lack)
    gpus, need = "; ".join(" ".join(line.split()) for line in lines) + " MiB", pins.memory.get("gpu_gb")
    if need is not None and max(float(line.rpartition(",")[2]) / 1024 for line in lines) < float(need) * 0.95:
        return Check("GPU", NOTE, f"{gpus}; {pins.name} wants {need} GB")
    command = [str(place.python), "-c", _ASK_TORCH]
    if place.python is not None and _run(command, place).strip() in ("", "0"):
        return Check("GPU", ABSENT, f"{gpus}, but torch of {place.python} does not see one")
    return Check("GPU", PASSED, gpus)


def _run(command: Sequence[str], place: Installation) -> str:
    """Standard output of a command; empty if it fails."""
    cwd = place.root if place.root is not None and place.root.is_dir() else None
    try:
        return subprocess.run(  # noqa: S603  the user's own interpreter
            command,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
            cwd=cwd,
            env=worker_environment(),
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _q(value: object) -> str:
    return shlex.quote(str(value))
