"""One character: `adapt` finds its frontal pair and fits a model, `overlay` lays a drawing over a view."""
