"""The old name of `python -m data`."""

import sys

from data.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
