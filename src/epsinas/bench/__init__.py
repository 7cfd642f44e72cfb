"""A bench for a metric of one's own: its scores are read, evaluated on a benchmark, and set beside other metrics'.

`given` reads scores in any form and finds their networks, `rivals` has the scores of all other metrics that the package
knows, `standing` puts the statistics of `epsinas.evaluation` together, and `text` prints them. On a page they are by
`epsinas.report.standing`.
"""
