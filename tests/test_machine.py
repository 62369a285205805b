"""`specsia doctor`, compiled code, and memory of a process."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from filelock import FileLock

from specsia_build import doctor, jit
from specsia_build.characters.blender import CACHE_SETTING
from specsia_build.doctor import BROKEN, LACKING, OK
from specsia_build.extras import how_to_add
from specsia_build.jit import compiled, sources_digest
from tests.commands import specsia

SECRET = "hf_" + "s3cret" * 5


def test_page_without_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ray.py").write_text("__version__ = '9.9'\n")
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so: cannot open shared object file')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])]))
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setattr(doctor, "PATIENCE", 600.0)
    ran = specsia("doctor", "--json")
    assert SECRET not in ran.output
    found = {one["name"]: one for one in json.loads(ran.stdout)["facts"]}
    assert {"Python", "cores", "memory", "disk", "cache", "GPU", "Blender", "Hub"} <= set(found)
    assert found["packages"]["state"] == OK
    assert (found["Ray"]["state"], found["Ray"]["details"]) == (OK, "9.9")
    assert found["torch"]["state"] == BROKEN
    assert found["torch"]["fix"] == how_to_add("train")


def test_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    def states(modules: str, code: str) -> list[str]:
        return [doctor.extra("own", modules, code, "").state]

    assert states("no_such_module", "") == [LACKING]
    assert states("json", "print('there')") == [OK]
    assert states("json", "raise SystemExit(3)") == [BROKEN]
    monkeypatch.setattr(doctor, "PATIENCE", 0.2)
    assert states("json", "import time; time.sleep(30)") == [BROKEN]


def test_processor_without_fma_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.processor().state == OK
    features = {"sse2": True, "fma": False}
    monkeypatch.setattr("llvmlite.binding.get_host_cpu_features", lambda: features)
    assert doctor.processor().state == "note"
    # As on ARM.
    del features["fma"]
    assert doctor.processor().state == OK


def test_caches_are_removed_once_their_size_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    monkeypatch.setenv(CACHE_SETTING, str(tmp_path / "own"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    removed = ["numba/specsia-compiled/0f", f"own/blender/{'a' * 64}", "cache/specsia/frames/0f"]
    kept = ["own/blender/5.0", "cache/other", "numba/other", "specsia-web-running"]
    for folder in (*removed, "specsia-web-killed", *kept):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "lock").write_bytes(b"0" * 1000)
    with FileLock(tmp_path / "specsia-web-running" / "lock"):
        monkeypatch.setattr("click.confirm", lambda *_, **__: sys.exit(1))
        asked = specsia("doctor", "--clean", code=1).stderr
        assert "of compiled code in" in asked and (tmp_path / removed[0]).is_dir()
        document = json.loads(specsia("doctor", "--clean", "--yes", "--json").stdout)
    assert document["left"] == 0 and set(document["removed"].values()) == {1000}
    assert not any((tmp_path / folder).exists() for folder in (*removed, "specsia-web-killed"))
    assert all((tmp_path / folder).is_dir() for folder in kept)


def test_missing_packages_end_with_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_run_python", lambda *_: doctor.Fact(OK, "", ""))
    monkeypatch.setattr(doctor, "requires", lambda _: ["no-such-package>=1", "numpy", "ray; extra == 'ray'"])
    ran = specsia("doctor", "--json", code=1)
    assert [one["name"] for one in json.loads(ran.stdout)["facts"] if one["state"] == BROKEN] == ["packages"]


def _package(top: Path) -> Path:
    (top / "rendering").mkdir(parents=True)
    for name in ("rendering/one.py", "two.py"):
        (top / name).write_text("from specsia_build.jit import compiled\n")
        os.utime(top / name, (1, 1))
    return top


def test_digest_of_compiled_sources(tmp_path: Path) -> None:
    one = _package(tmp_path / "one")
    first = sources_digest(one)
    (one / "plain.py").write_text("")
    assert sources_digest(one) == first
    # numba takes nothing that was compiled elsewhere, or before a file was written anew.
    assert sources_digest(Path(shutil.copytree(one, tmp_path / "other"))) != first
    os.utime(one / "two.py", (2, 2))
    later = sources_digest(one)
    (one / "rendering" / "one.py").write_text("")
    assert len({first, later, sources_digest(one)}) == 3


def _halved(x: float) -> float:
    return x / 2


_half = compiled(_halved)


@compiled
def _half_and_one(x: float) -> float:
    return float(_half(x)) + 1.0


def test_cached_function_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path)
    assert _half_and_one(3.0) == 2.5
    kept = {path.name for path in tmp_path.rglob("*.nbc")}
    assert compiled(_halved)(3.0) == 1.5
    # What the one takes from there has no way in for the other.
    assert len({path.name for path in tmp_path.rglob("*.nbc")} - kept) == 1
    assert compiled(_halved)(5.0) == 2.5


def _root(x: float) -> float:
    if x < 0:
        raise ValueError("negative")
    return float(np.sqrt(x))


_inner_root = compiled(_root)


@compiled
def _root_at_least_two(x: float) -> float:
    return float(max(np.zeros(2).size, _inner_root(x)))


def test_machine_code_only_for_what_python_calls() -> None:
    """An inner function is linked into its callers; functions by numba alone are compiled as ever."""
    assert (_root_at_least_two(9.0), _root_at_least_two(0.0)) == (3.0, 2.0)
    with pytest.raises(ValueError, match="negative"):
        _root_at_least_two(-1.0)
    assert numba.njit(lambda x: _inner_root(x) + np.empty(2).size)(4.0) == 4.0
    assert numba.vectorize(["float64(float64)"])(lambda x: x + 1)(1.0) == 2.0
    engine = numba.core.registry.cpu_target.target_context.codegen()._engine
    (inner,) = _inner_root.inner.overloads.values()
    assert not engine.is_symbol_defined(inner.fndesc.llvm_func_name)
    assert _inner_root(4.0) == 2.0


DECODE = """
import numba
import numpy as np
from specsia_build import png
png.decode(png.encode(np.zeros((2, 2, 4), np.uint8)), 4)
print(sum(png._unfiltered.dispatcher.stats.cache_misses.values()))
"""
"""A process that prints how many functions it compiled of one."""


def test_processes_that_start_together_compile_a_function_once(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", DECODE]
    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    assert sorted(process.communicate()[0].strip() for process in processes) == ["0", "1"]


FRESH_PAGES = """
import resource
import numpy as np
from specsia_build.memory import keep_freed
keep_freed()
[np.ones(2**21) for _ in range(3)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    [np.ones(2**21) for _ in range(3)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
"""A process that tells how many pages came from the system for 48 MB that it takes and gives back ten
times."""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no other C library is told what to keep")
def test_freed_pages_are_reused() -> None:
    found = subprocess.run([sys.executable, "-c", FRESH_PAGES], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 1000


@pytest.mark.parametrize(
    ("record", "command"),
    [
        ({"url": "file:///a%20b/x", "dir_info": {"editable": True}}, "pip install -e '/a b/x[train]'"),
        ({"url": "file:///x", "dir_info": {}}, "pip install '/x[train]'"),
        ({"url": "file:///x.whl", "archive_info": {}}, "pip install 'specsia[train] @ file:///x.whl'"),
        (
            {"url": "https://host/x", "vcs_info": {"vcs": "git", "commit_id": "ab"}},
            "pip install 'specsia[train] @ git+https://host/x@ab'",
        ),
        (None, "pip install '.[train]'"),
    ],
)
def test_how_to_add_an_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: dict[str, Any] | None, command: str
) -> None:
    installed = tmp_path / "specsia-9.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: specsia\nVersion: 9\n")
    if record is not None:
        (installed / "direct_url.json").write_text(json.dumps(record))
    monkeypatch.syspath_prepend(tmp_path)
    assert how_to_add("train") == command
