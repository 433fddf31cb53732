"""masks.png of a study: every test image, its truth, and every model's mask with its errors in colour."""

from analysis.cli import main
from analysis.figures.files import write_masks

if __name__ == "__main__":
    raise SystemExit(main("python -m analysis.grids", str(__doc__), [write_masks]))
