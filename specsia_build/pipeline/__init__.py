"""The build: what is to be done, who does it, what is kept, and what went wrong.

`build` is the whole of it; `planning` decides by fingerprints, `tasks` run in workers that `executors` hold, `store`
keeps artefacts, `failures` those who failed, `settings` what a run is asked for, and `layout`, `mark`, `lock` and
`clearing` look after the run's folder.
"""
