"""Verdicts from the scores of several models: `python -m analysis.evidence scores.csv`.

Scores in, verdicts out, without a server and without torch. `score_table` reads a CSV, `design` lays scores out,
`components` finds sources of variance, `claims` compares models, `simulate` measures the error rates of that, `planner`
finds sample sizes that decide, `result` puts all together, `text` prints it.
"""
