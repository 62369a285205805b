"""Modules are read in an order: none imports one that imports it, through however many others."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("specsia_build", exclude_type_checking_imports=False)
    # The package's own names are looked up when they are used.
    modules = graph.modules - {"specsia_build"}
    others = {module: graph.find_modules_directly_imported_by(module) & modules - {module} for module in modules}
    assert set(TopologicalSorter(others).static_order()) == modules
