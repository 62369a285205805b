"""Check whatever leaves a run: a dataset of rows, or a folder of another layout."""

from dataclasses import replace
from pathlib import Path

from specsia_build.dataset.schema import RECORD_FILE
from specsia_build.dataset.verify.check import verify as verify_rows
from specsia_build.dataset.verify.report import Progress, Report
from specsia_build.errors import SpecsiaError, brief
from specsia_build.layouts.registry import load_layout
from specsia_build.layouts.verify_folder import folder_record, verify_folder


def verify(where: str, *, workers: int = 1, progress: Progress = lambda done, total: None) -> Report:
    """Check a folder, URL or Hub id of any layout.

    A folder whose layout is not installed in the version that wrote it is checked as far as that allows. The
    report does not depend on `workers`; `progress` gets the rows or files that are done, and of all.
    """
    folder = Path(where)
    record = folder_record(folder)
    if record is None:
        return _verify_rows(where, workers, progress)
    name, version = brief(str(record.get("layout")), 80), record.get("version")
    try:
        layout = load_layout(name)
        if layout.version != version:
            raise SpecsiaError(f"version {brief(str(version), 20)} of {name} wrote it, not {layout.version}")
    except SpecsiaError as error:
        report = verify_folder(folder, name, None, workers, progress)
        return replace(report, notes=(f"the layout was not checked: {error}", *report.notes))
    return layout.verify(where, workers, progress)


def _verify_rows(where: str, workers: int, progress: Progress) -> Report:
    folder = Path(where)
    try:
        return verify_rows(where, workers=workers, progress=progress)
    except SpecsiaError as error:
        parents = (path.parent for path in folder.glob(f"*/{RECORD_FILE}"))
        inner = sorted(parent.name for parent in parents if folder_record(parent))
        if not inner or (folder / "dataset").is_dir():
            raise
        raise SpecsiaError(f"{folder} is a run: did you mean {folder / inner[0]}?") from error
