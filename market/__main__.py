"""``python -m market``: the same as the command ``market``."""

import sys

from market.cli import main

if __name__ == "__main__":
    sys.exit(main())
