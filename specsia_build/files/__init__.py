"""Files: how they are named from data, opened where strangers wrote them, and written whole or not at all.

`names` says what may be a file's name, `listing` what a folder has, `sources` opens what somebody else chose, `writing`
writes whole or not at all and `trouble` says why it could not, `records` and `plain_yaml` read JSON and YAML, and
`locking` holds a file against other processes.
"""
