"""Table, curves and mask grid of a study, from one pull: comparison.csv, comparison.md, curves.png, masks.png."""

from analysis import figures, grids, table
from analysis.cli import main

raise SystemExit(main("python -m analysis", str(__doc__), [table.write, figures.write, grids.write]))
