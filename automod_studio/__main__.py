"""`python -m automod_studio` and the command `automod-studio`."""

import sys
import time

_STARTED_S = time.perf_counter()


def main() -> int:
    """Run the studio with the command line's arguments."""
    from automod_studio import quick_start

    quick_start.begin()
    from automod_studio.app import run

    return run(sys.argv[1:], _STARTED_S)


if __name__ == "__main__":
    sys.exit(main())
