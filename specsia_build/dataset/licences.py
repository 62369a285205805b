"""Licences of a dataset's rows: which ones let it be passed on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.parquet as pq

from specsia_build.dataset.front_matter import card_fields
from specsia_build.dataset.parquet import batches, local_path
from specsia_build.dataset.schema import CARD, DATA

T = TypeVar("T")

NAMED = "LicenseRef-"
"""Prefix that SPDX gives to licences that are not on its list."""

FREE = (
    "0BSD AFL-3.0 Apache-2.0 Artistic-2.0 BSD-2-Clause BSD-3-Clause BSL-1.0 CC-PDDC CDLA-Permissive-1.0 "
    "CDLA-Permissive-2.0 CDLA-Sharing-1.0 ECL-2.0 ISC LAL-1.3 MIT MIT-0 MPL-2.0 MS-PL ODbL-1.0 ODC-By-1.0 OFL-1.1 "
    "PDDL-1.0 Unlicense WTFPL Zlib AGPL-3.0-only AGPL-3.0-or-later GPL-2.0-only GPL-2.0-or-later GPL-3.0-only "
    "GPL-3.0-or-later LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later"
)
"""Licences beside Creative Commons that let changed copies be passed on, by SPDX id."""

_BY_FOLDED_NAME = {name.casefold(): name for name in FREE.split()} | {
    "agpl-3.0": "AGPL-3.0-only",
    "apache-2": "Apache-2.0",
    "gpl-2.0": "GPL-2.0-only",
    "gpl-3.0": "GPL-3.0-only",
    "lgpl-2.1": "LGPL-2.1-only",
    "lgpl-3.0": "LGPL-3.0-only",
    "odbl": "ODbL-1.0",
    "odc-by": "ODC-By-1.0",
    "pddl": "PDDL-1.0",
    "public-domain": "CC-PDDC",
    "the-unlicense": "Unlicense",
}
_CC = re.compile(r"cc-?(0|by(?:-(?:nc|sa|nd))*)(?:-(\d\.\d))?(?:-(?:international|universal|intl|deed))?")
_CC_URL = re.compile(r"(?:https?://)?(?:www\.)?creativecommons\.org/(?:licenses|publicdomain)/([a-z-]+)/(\d\.\d)\S*")
_FORBIDDING = re.compile(
    r"all rights reserved|proprietary|confidential|(?:no|not|non|forbid\w*|prohibit\w*)[\s_-]*(?:for\s+)?re-?distribut"
    r"|re-?distribution[\s_-]*(?:is\s+)?(?:prohibited|forbidden|disallowed|not)|do not (?:share|distribute)"
)


def spdx_id(text: str) -> str | None:
    """The SPDX id that a licence's name stands for; None if it is not known.

    Understands the ids themselves in any case, Creative Commons licences as people write them (`CC BY-NC 4.0`,
    `cc_by`, their addresses; 4.0 where no version is given, 1.0 for CC0), and `LicenseRef-…`.
    """
    text = text.strip()
    if text.casefold().startswith(NAMED.casefold()):
        return text if re.fullmatch(r"[\w.-]+", text[len(NAMED) :], re.ASCII) else None
    folded = re.sub(r"[\s_]+", "-", text.casefold())
    if url := _CC_URL.fullmatch(folded):
        folded = "cc0-1.0" if url[1] == "zero" else f"cc-{url[1]}-{url[2]}"
    match = _CC.fullmatch(folded)
    if match and match[1] == "0":
        return "CC0-1.0"
    if match:
        order = [term for term in ("BY", "NC", "ND", "SA") if term in match[1].upper().split("-")]
        return f"CC-{'-'.join(order)}-{match[2] or '4.0'}"
    return _BY_FOLDED_NAME.get(folded.removesuffix("-license").removesuffix("-licence"))


def forbids(text: str) -> str | None:
    """Why a licence does not let pairs made from a character be passed on; None where it does.

    Args:
        text: an SPDX id or expression with `OR` and `AND`, or whatever a source states.
    """
    parts = re.split(r"\s+(OR|AND)\s+", text.strip().strip("()"))
    reasons = [_reason(part.strip(" ()")) for part in parts[::2]]
    if set(parts[1::2]) == {"OR"}:
        return None if None in reasons else reasons[0]
    return next((reason for reason in reasons if reason), None)


def _reason(text: str) -> str | None:
    name = spdx_id(text)
    if name is None:
        told = _FORBIDDING.search(text.casefold())
        return "forbids passing it on" if told else "is not known to allow passing it on"
    if name.startswith("CC-") and "-ND-" in name:
        return "forbids passing changed copies on, and rendered pairs are that"
    return None


def redistribution_problems(folder: Path) -> tuple[str, ...]:
    """A clause for each licence that forbids making a dataset public, with how many rows it covers.

    A row without a licence counts as unknown. Without a column for it, the card's licence stands for all rows.

    Raises:
        OSError, pyarrow.ArrowException: if the shards cannot be read.
    """
    rows: Counter[str | None] = Counter()
    for path in sorted((folder / DATA).rglob("*.parquet")):
        with pq.ParquetFile(local_path(path)) as opened:
            if "license" in opened.schema_arrow.names:
                for batch in batches(opened, ["license"]):
                    rows.update(None if name is None else str(name) for name in batch.column(0).to_pylist())
            else:
                rows[_of_card(folder)] += opened.metadata.num_rows
    return licence_problems(rows, "row")


def withheld(licenses: Iterable[str | None]) -> str | None:
    """Why a dataset may not be passed on, in a clause, by the licence of each character; None if it may."""
    problems = licence_problems(Counter(licenses), "character")
    return f"it holds {'; '.join(problems)}" if problems else None


def licence_problems(counted: Mapping[str | None, int], what: str) -> tuple[str, ...]:
    """A clause for each licence that forbids passing on what it covers.

    Args:
        counted: number of rows or characters by licence, None where none is stated.
        what: one of them: a row, a character.
    """
    problems = []
    for name, count in commonest(counted):
        many = f"{count} {what}" if count == 1 else f"{count} {what}s"
        if name is None or not name.strip():
            problems.append(f"{many} without a licence")
        elif reason := forbids(name):
            problems.append(f"{many} under '{' '.join(name.split())[:80]}', which {reason}")
    return tuple(problems)


def _of_card(folder: Path) -> str | None:
    try:
        return stated_by_card(card_fields((folder / CARD).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return None


def stated_by_card(fields: Mapping[str, Any]) -> str | None:
    """The licence that a card's YAML names, all of a list joined by `AND`; None where it names none."""
    stated = fields.get("license_name") or fields.get("license")
    names = stated if isinstance(stated, list) else [stated]
    told = all(isinstance(name, str) and name not in ("unknown", "other") for name in names)
    return " AND ".join(map(str, names)) if told else None


def commonest(counted: Mapping[T, int]) -> list[tuple[T, int]]:
    """Values and their counts, the commonest first."""
    return sorted(counted.items(), key=lambda item: (-item[1], str(item[0])))
