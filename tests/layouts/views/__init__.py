"""Layouts of views, exported from small figures."""
