"""A dataset's way to the Hub: what is sent, what is removed, and what goes on after a broken connection.

Others use `push` for all of it, `client` for the connection, and `local` for what a folder would send.
"""
