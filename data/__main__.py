"""`python -m data FOLDER`: check a folder of photographs and masks."""

import sys

from data.puzzle import main

if __name__ == "__main__":
    sys.exit(main())
