"""DraViE: a small network that learns from a dataset to repair its views, and what proves that it did."""
