"""Licences of a dataset's rows: whether they allow passing it on, and their names on the Hub."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from specsia_build.backends.upstream.pins import limits_of
from specsia_build.dataset.parquet import batches, local_path
from specsia_build.dataset.reading import card_fields
from specsia_build.dataset.schema import CARD, DATA, PARTS_FILE, RECORD_FILE
from specsia_build.errors import SpecsiaError, UsageError, brief, plural
from specsia_build.files.records import read_json

_T = TypeVar("_T")
_LISTS = yaml.safe_load(Path(__file__).with_name("licences.yaml").read_text(encoding="utf-8"))
_NAMES: dict[str, str] = {name.casefold(): name for name in _LISTS["free"]} | _LISTS["names"]
"""SPDX ids, by folded names, of licences besides Creative Commons that allow passing on changed copies."""

_CC = re.compile(r"cc-?(0|by(?:-(?:nc|sa|nd))*)(?:-(\d\.\d))?(?:-(?:international|universal))?")


def spdx_id(text: str) -> str | None:
    """SPDX id of a licence's name; None if it is unknown.

    Understands ids in any case, Creative Commons licences as people write them (`CC BY-NC 4.0`, `cc_by`; 4.0
    if there is no version, 1.0 for CC0), and `LicenseRef-…`, SPDX's prefix for licences of one's own.
    """
    text = text.strip()
    if text.casefold().startswith("licenseref-"):
        return text if re.fullmatch(r"[\w.-]+", text.partition("-")[2], re.ASCII) else None
    folded = re.sub(r"[\s_]+", "-", text.casefold())
    match = _CC.fullmatch(folded)
    if match is None:
        return _NAMES.get(re.sub(r"-licen[sc]e$", "", folded))
    if match[1] == "0":
        return "CC0-1.0"
    terms = [term for term in ("BY", "NC", "ND", "SA") if term in match[1].upper().split("-")]
    return f"CC-{'-'.join(terms)}-{match[2] or '4.0'}"


def forbids(text: str) -> str | None:
    """Why a licence (SPDX id, `OR` or `AND` expression, or text) forbids passing pairs on, or None."""
    parts, reasons = re.split(r"\s+(OR|AND)\s+", text.strip().strip("()")), []
    for part in parts[::2]:
        name = spdx_id(part.strip(" ()"))
        if name is None:
            reasons.append("is not known to allow sharing")
        elif name.startswith("CC-") and "-ND-" in name:
            reasons.append("forbids sharing modified copies, and rendered pairs are modified copies")
    any_one = set(parts[1::2]) == {"OR"} and len(reasons) < len(parts[::2])
    return reasons[0] if reasons and not any_one else None


class _Licensed(msgspec.Struct):
    """A line of `parts.jsonl`."""

    character: str
    license: str | None


def redistribution_problems(folder: Path) -> tuple[str, ...]:
    """A clause for each licence that forbids making a dataset public, with its number of rows.

    A row without a licence counts as unknown. Without a column for it, the card's licence applies to all
    rows. Of a folder of files the characters are counted.
    """
    if (folder / PARTS_FILE).is_file():
        lines = (folder / PARTS_FILE).read_bytes().splitlines()
        parts = (msgspec.json.decode(line, type=_Licensed) for line in lines)
        by_character = {part.character: part.license for part in parts}
        return licence_problems(Counter(by_character.values()), "character")
    rows: Counter[str | None] = Counter()
    for path in sorted((folder / DATA).rglob("*.parquet")):
        with pq.ParquetFile(local_path(path)) as parquet:
            if "license" in parquet.schema_arrow.names:
                for batch in batches(parquet, ["license"]):
                    rows.update(None if name is None else str(name) for name in batch.column(0).to_pylist())
                continue
            try:
                fields = card_fields((folder / CARD).read_text(encoding="utf-8"))
            except (FileNotFoundError, ValueError):
                fields = {}
            rows[stated_by_card(fields)] += parquet.metadata.num_rows
    return licence_problems(rows, "row")


def check_limits(folder: Path) -> None:
    """Raise UsageError if a backend's licence limits what may be done with a dataset's pictures."""
    if (folder / PARTS_FILE).is_file():
        names = {str(read_json(folder / RECORD_FILE).get("backend"))}
    else:
        names = set[str]()
        for path in (folder / DATA).rglob("*.parquet"):
            with pq.ParquetFile(local_path(path)) as parquet:
                if "backend" in parquet.schema_arrow.names:
                    for batch in batches(parquet, ["backend"]):
                        names.update(map(str, batch.column(0).unique().to_pylist()))
    if limits := limits_of(sorted(names)):
        problem = f"{folder} holds pictures by {', '.join(limits)}. {' '.join(limits.values())}"
        raise UsageError(f"{problem} If you may push them, add --license-checked")


def check_public(folder: Path) -> None:
    """Raise SpecsiaError if a licence is unknown or forbids publishing a dataset."""
    try:
        problems = redistribution_problems(folder)
    except (OSError, UnicodeDecodeError, pa.ArrowException, msgspec.MsgspecError) as error:
        raise SpecsiaError(f"the licences of {folder} cannot be read: {brief(str(error))}") from error
    if problems:
        kinds = "an SPDX id, or LicenseRef-NAME for a licence that you have read and that lets you pass it on"
        cure = f"state the licence of each character in the manifest ({kinds}), or push it --private"
        raise SpecsiaError(f"{folder} cannot be made public: it holds {'; '.join(problems)}; {cure}")


def withheld(licenses: Iterable[str | None]) -> list[str]:
    """Clause why a dataset must not be passed on, by its characters' licences; an empty list if it may be."""
    problems = licence_problems(Counter(licenses), "character")
    return [f"must not be shared as it is: it holds {'; '.join(problems)}"] if problems else []


def licence_problems(counted: Mapping[str | None, int], noun: str) -> tuple[str, ...]:
    """A clause for each licence that forbids passing on, with its number of `noun`, "row" or "character"."""
    problems = []
    for name, count in commonest(counted):
        if name is None or not name.strip():
            problems.append(f"{plural(count, noun)} without a licence")
        elif reason := forbids(name):
            problems.append(f"{plural(count, noun)} under '{' '.join(name.split())[:80]}', which {reason}")
    return tuple(problems)


def stated_by_card(fields: Mapping[str, Any]) -> str | None:
    """The licence that a card's YAML names, a list joined by `AND`; None if it names none."""
    value = fields.get("license_name") or fields.get("license")
    names = value if isinstance(value, list) else [value]
    is_stated = all(isinstance(name, str) and name not in ("unknown", "other") for name in names)
    return " AND ".join(map(str, names)) if is_stated else None


def license_fields(licenses: Collection[str | None]) -> dict[str, Any]:
    """Card fields for all characters' licences: `license`, and `license_name` for one unknown to the Hub."""
    texts = set(licenses)
    if texts <= {None}:
        return {"license": "unknown"}
    # Neither `odc-by-1.0` nor `gpl-3.0-or-later` is a name there.
    names = {re.sub(r"-(only|or-later)$", "", (spdx_id(text or "") or "").casefold()) for text in texts}
    names = {name if name in _LISTS["hub"] else name.removesuffix("-1.0") for name in names}
    if names <= {*_LISTS["hub"]}:
        return {"license": names.pop() if len(names) == 1 else sorted(names)}
    text = (texts.pop() if len(texts) == 1 else None) or "mixed"
    name = re.sub(r"[^a-z0-9.]+", "-", text.casefold()).strip("-")
    return {"license": "other", "license_name": name or "unnamed"}


def commonest(counted: Mapping[_T, int]) -> list[tuple[_T, int]]:
    """Values and their counts, the most frequent first."""
    return sorted(counted.items(), key=lambda item: (-item[1], str(item[0])))
