"""Spoilt characters."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from benchmarks import strangers


def test_each_trial_has_a_verdict(tmp_path: Path) -> None:
    ran = CliRunner().invoke(strangers.main, ["sample:1", "--out", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    outcomes = json.loads((tmp_path / "strangers.json").read_text())
    verdicts = {one["trial"]: one["verdict"] for one in outcomes}
    assert len(verdicts) == 8
    assert {verdicts[name] for name in ("left as it is", "in a hull")} == {strangers.FOUND}
    assert strangers.WRONG not in verdicts.values()
