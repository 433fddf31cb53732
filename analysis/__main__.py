"""Tables and pictures of a study, from one pull: comparison.csv, .md, .tex, .html, overfitting.csv, four PNG."""

from analysis import table
from analysis.cli import main
from analysis.figures import files

raise SystemExit(main("python -m analysis", str(__doc__), [table.write, files.write]))
