"""What this machine has, what is missing or broken, what that would enable, and the line that installs it.

`examine.examine` asks for everything at once; `machine` looks at the computer and at caches, `packages` at what is
installed, each in a process of its own that is given up after a while.
"""
