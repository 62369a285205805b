"""Two datasets side by side: which rows came, went or changed, and by how much.

Others use `compare`; `report` puts it into words and JSON.
"""
