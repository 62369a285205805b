"""Which licences let a dataset be made public."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specsia_build.dataset.licences import forbids, redistribution_problems, spdx_id


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("CC0-1.0", "CC0-1.0"),
        ("cc0", "CC0-1.0"),
        ("CC0 1.0 Universal", "CC0-1.0"),
        ("CC BY-NC 4.0", "CC-BY-NC-4.0"),
        ("CC_BY_NC_ND", "CC-BY-NC-ND-4.0"),
        ("CC BY 4.0 International", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by-sa/4.0/deed.en", "CC-BY-SA-4.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("MIT License", "MIT"),
        ("Apache 2.0", "Apache-2.0"),
        (" LicenseRef-3DBiCar ", "LicenseRef-3DBiCar"),
        ("LicenseRef-", None),
        ("see the website", None),
        ("", None),
    ],
)
def test_names_of_licences(text: str, found: str | None) -> None:
    assert spdx_id(text) == found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CC BY-NC 4.0", None),
        ("LicenseRef-CC-BY-ND-asked", None),
        ("MIT OR Proprietary", None),
        ("(ISC AND MIT)", None),
        ("All rights reserved", "is not known to allow passing it on"),
        ("CC BY-NC-ND 4.0", "forbids passing changed copies on"),
        ("MIT AND proprietary", "is not known to allow passing it on"),
    ],
)
def test_licences_that_let_pairs_be_passed_on_and_those_that_do_not(text: str, reason: str | None) -> None:
    assert reason in str(forbids(text)) if reason else forbids(text) is None


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("---\nlicense: cc-by-4.0\n---\n", ()),
        ("---\nlicense: [odbl, agpl-3.0, mit]\n---\n", ()),
        (
            "---\nlicense: [mit, cc-by-nd-4.0]\n---\n",
            (
                "3 rows under 'mit AND cc-by-nd-4.0', which forbids passing changed copies on, and rendered pairs are "
                "that",
            ),
        ),
        ("---\nlicense: [mit, unknown]\n---\n", ("3 rows without a licence",)),
        (
            "---\nlicense: other\nlicense_name: mixed\n---\n",
            ("3 rows under 'mixed', which is not known to allow passing it on",),
        ),
        ("---\nlicense: unknown\n---\n", ("3 rows without a licence",)),
        ("no front matter", ("3 rows without a licence",)),
    ],
)
def test_the_card_speaks_for_rows_without_the_column(tmp_path: Path, card: str, expected: tuple[str, ...]) -> None:
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"uid": ["a", "b", "c"]}), tmp_path / "data" / "train-00000-of-00001.parquet")
    (tmp_path / "README.md").write_text(card)
    assert redistribution_problems(tmp_path) == expected
