"""What there is to look at, wherever it lies: a run, a dataset, an evaluation, all in the same terms.

`items` says in which; the other modules open one kind each. The page, turntables and sheets are made of nothing else.
"""
