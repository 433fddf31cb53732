"""curves.png, intervals.png, masks.png and hardest_images.png of a study."""

from analysis.cli import main
from analysis.figures.files import write

raise SystemExit(main("python -m analysis.figures", str(__doc__), [write]))
