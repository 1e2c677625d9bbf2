"""`python -m automod_core` is the command line."""

import sys

from automod_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
