"""How to install the package's extras from where this copy of it came from: no index has it by its name."""

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_PACKAGE = "specsia"


def how_to_add(extra: str) -> str:
    """Command that installs an extra from the folder, archive or repository that pip installed from.

    pip records that place in `direct_url.json` (PEP 610). Where it is unknown, the command is for a checkout.
    """
    record = _origin()
    url = record.get("url", "")
    if "vcs_info" in record:
        info = record["vcs_info"]
        return f"pip install '{_PACKAGE}[{extra}] @ {info['vcs']}+{url}@{info['commit_id']}'"
    if "archive_info" in record:
        return f"pip install '{_PACKAGE}[{extra}] @ {url}'"
    folder = unquote(urlsplit(url).path)
    place = "." if not folder or Path(folder) == Path.cwd() else folder
    editable = "-e " if record.get("dir_info", {}).get("editable") else ""
    return f"pip install {editable}'{place}[{extra}]'"


def _origin() -> dict[str, Any]:
    """What pip recorded of the place that the package was installed from; empty if unknown."""
    try:
        record = json.loads(distribution(_PACKAGE).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
