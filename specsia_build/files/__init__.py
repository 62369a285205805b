"""Files: `names` checks file names, `sources` opens files that users chose, `writing` writes whole or not at
all, `records` reads JSON and YAML.
"""
