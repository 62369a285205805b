"""specsia: build and use datasets that teach 2D models to repair drawn characters seen from new angles."""

__version__ = "0.1.0"
