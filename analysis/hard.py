"""hardest_images.png of a study: its hardest test images, and the models' disagreement on them."""

from analysis.cli import main
from analysis.figures.files import write_hardest

if __name__ == "__main__":
    raise SystemExit(main("python -m analysis.hard", str(__doc__), [write_hardest]))
