"""What the scores of several models prove: `python -m analysis.evidence scores.csv`.

Scores in, verdicts out, without a server and without torch. `table` reads a CSV, `study` lays scores out, `components`
finds where they vary, `claims` compares models, `simulate` measures the error rates of that, `planner` says what would
decide, `result` puts all together, `text` prints it.
"""
