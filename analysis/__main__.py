"""Tables and pictures of a study, from one pull: comparison.csv, .md, .tex, .html, overfitting.csv, four PNG."""

from analysis import figures, grids, hard, table
from analysis.cli import main

raise SystemExit(
    main("python -m analysis", str(__doc__), [table.write, figures.write, grids.write, hard.write])
)
