"""One character: `adapt` fits, `placing` lays a drawing over a view, `command` is the work of `specsia adapt`."""
