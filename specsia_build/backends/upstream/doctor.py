"""What an installation of an upstream project has and lacks, with the command that mends each lack."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion

from specsia_build.backends.upstream.pins import Installation, Pins, Weights, checkout_commit
from specsia_build.backends.upstream.processes import worker_environment
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
    """All checks of one bridge, in the order in which they are to be mended."""

    name: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is missing."""
        return all(check.state != MISSING for check in self.checks)


def diagnose(pins: Pins, place: Installation) -> Diagnosis:
    """Look for everything that a bridge needs; nothing is changed, loaded or fetched."""
    weights = (_weights(one, place) for one in pins.weights)
    return Diagnosis(
        pins.name, (*_checkout(pins, place), *_python(pins, place), *weights, _gpu(pins, place), *_names(pins, place))
    )


def _checkout(pins: Pins, place: Installation) -> Iterator[Check]:
    root = _q(place.root or pins.repository.rpartition("/")[2])
    clone = f"git clone {pins.repository} {root} && git -C {root} checkout {pins.commit}"
    if place.root is None:
        yield Check("checkout", MISSING, f"not said: --root, or SPECSIA_{pins.name.upper()}_ROOT", clone)
        return
    if not place.root.is_dir():
        yield Check("checkout", MISSING, f"there is no folder {place.root}", clone)
        return
    yield Check("checkout", OK, str(place.root))
    commit = checkout_commit(place.root)
    if commit == pins.commit:
        yield Check("commit", OK, commit)
    elif commit is None:
        yield Check("commit", NOTE, "unknown: the folder is no git checkout")
    else:
        mend = f"git -C {root} fetch && git -C {root} checkout {pins.commit}"
        yield Check("commit", NOTE, f"{commit[:12]}; the bridge was written against {pins.commit[:12]}", mend)


def _python(pins: Pins, place: Installation) -> Iterator[Check]:
    create = f"conda create -n {pins.name} python={pins.python}"
    if place.python is None:
        yield Check("python", MISSING, f"not said: --python, or SPECSIA_{pins.name.upper()}_PYTHON", create)
        return
    asked = json.dumps([list(pins.packages), list(pins.imports)])
    try:
        found = json.loads(_run([str(place.python), "-c", _ASK_VERSIONS, asked], place) or "")
    except ValueError:
        yield Check("python", MISSING, f"{place.python} does not run", create)
        return
    exact = found["python"].startswith(f"{pins.python}.")
    upstream = "" if exact else f"; upstream says {pins.python}"
    yield Check("python", OK if exact else NOTE, f"{place.python} ({found['python']}{upstream})")
    install = f"{_q(place.python)} -m pip install"
    for name, wanted in pins.packages.items():
        mend, version = f"{install} {_q(name + _specifier(wanted))}", found["packages"].get(name)
        if version is None:
            yield Check(f"package {name}", MISSING, "not installed", mend)
        elif matches(version, wanted):
            yield Check(f"package {name}", OK, version)
        else:
            yield Check(f"package {name}", NOTE, f"{version}; upstream says {wanted}", mend)
    for name, requirement in pins.imports.items():
        there = name in found["imports"]
        mend = "" if there else f"{install} {_q(requirement)}"
        yield Check(f"module {name}", OK if there else MISSING, "installed" if there else "not installed", mend)


def matches(found: str, wanted: str) -> bool:
    """Whether a version is as wanted: ``>=1.2``, ``<2`` or ``1.2.3``, whatever follows a plus sign."""
    try:
        return SpecifierSet(_specifier(wanted)).contains(found, prereleases=True)
    except InvalidVersion:
        return False


def _specifier(wanted: str) -> str:
    return wanted if wanted[0] in "<>" else f"=={wanted}"


def _weights(weights: Weights, place: Installation) -> Check:
    label = f"weights {weights.name}"
    if weights.path is not None:
        path = expanded(weights.path)
        path = path if path.is_absolute() or place.root is None else place.root / path
        if path.is_file():
            return Check(label, OK, str(path))
        before = "" if place.root is None else f"cd {_q(place.root)} && "
        mend = before + weights.fetch.format(python=_q(place.python or "python"))
        return Check(label, MISSING, f"there is no file {path}", mend)
    source = place.weights.get(weights.name, weights.source or "")
    revision = None if weights.name in place.weights else weights.revision
    mend = " ".join(["hf download", source, *weights.files, *(["--revision", revision] if revision else [])])
    folder = expanded(source) if expanded(source).is_dir() else _cached(source, revision)
    if folder is None:
        return Check(label, MISSING, f"{source} is not in the cache of the Hugging Face Hub", mend)
    lacking = [name for name in weights.files if not (folder / name).is_file()]
    if lacking:
        return Check(label, MISSING, f"{folder} lacks {', '.join(lacking)}", mend)
    return Check(label, OK, str(folder))


def _cached(repository: str, revision: str | None) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def _gpu(pins: Pins, place: Installation) -> Check:
    smi = shutil.which("nvidia-smi")
    query = ["--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits"]
    lines = (_run([smi, *query], place) or "").strip().splitlines() if smi else []
    if not lines:
        return Check("GPU", MISSING, "nvidia-smi shows no NVIDIA GPU")
    found = "; ".join(" ".join(line.split()) for line in lines) + " MiB"
    need = pins.memory.get("gpu_gb")
    largest = max(float(line.rpartition(",")[2]) / 1024 for line in lines)
    if need is not None and largest < float(need) * 0.95:
        return Check("GPU", NOTE, f"{found}; {pins.name} wants {need} GB")
    if place.python is not None and (_run([str(place.python), "-c", _ASK_TORCH], place) or "0").strip() == "0":
        return Check("GPU", MISSING, f"{found}, but torch of {place.python} does not see one")
    return Check("GPU", OK, found)


def _names(pins: Pins, place: Installation) -> Iterator[Check]:
    if place.root is None or not place.root.is_dir():
        return
    gone = missing_names(pins, place.root)
    mend = f"git -C {_q(place.root)} checkout {pins.commit}"
    if not gone:
        count = sum(map(len, pins.uses.values()))
        yield Check("names", OK, f"all {len(pins.uses)} files and {count} names that the bridge uses are there")
    yield from (Check("names", MISSING, reason, mend) for reason in gone)


def missing_names(pins: Pins, root: Path) -> list[str]:
    """What a checkout lacks of the files and names that a bridge uses, found by a search through their text."""
    gone = []
    for file, names in pins.uses.items():
        try:
            text = (root / file).read_text(encoding="utf-8", errors="replace")
        except OSError:
            gone.append(f"there is no file {file}")
            continue
        kinds = _SETTINGS if file.endswith((".yaml", ".yml")) else _BINDINGS
        parts = (part for name in names for part in name.split("."))
        gone += [f"{file} has no {part}" for part in dict.fromkeys(parts) if not _binds(text, part, kinds)]
    return gone


_SETTINGS = (r"(?:^|[\s{{,]){name}\s*:",)
_BINDINGS = (r"^\s*(?:async\s+)?(?:def|class)\s+{name}\b", r"^\s*{name}\s*[:=]", r"^\s*(?:from|import)\b.*\b{name}\b")
"""Patterns of lines that define, assign or import a name, and of settings in YAML."""


def _binds(text: str, name: str, patterns: Sequence[str]) -> bool:
    return any(re.search(pattern.format(name=re.escape(name)), text, re.MULTILINE) for pattern in patterns)


def _run(command: Sequence[str], place: Installation) -> str | None:
    """What a command prints, None if it fails."""
    cwd = place.root if place.root is not None and place.root.is_dir() else None
    try:
        ran = subprocess.run(  # noqa: S603  the user's own interpreter
            command, capture_output=True, text=True, timeout=120, check=True, cwd=cwd, env=worker_environment()
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ran.stdout


def _q(value: object) -> str:
    return shlex.quote(str(value))
