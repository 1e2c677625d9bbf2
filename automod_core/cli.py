"""The command line, `automod`: every command is a module of automod_core.commands."""

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from automod_core.commands import (
    animate,
    apply,
    attribute,
    bench,
    demo_faces,
    edit,
    encode,
    evaluate,
    export,
    fit_previews,
    grid,
    import_model,
    info,
    mix,
    sample,
    scan,
    train,
    vary,
)
from automod_core.commands.common import say, warn
from automod_core.errors import UserError

_COMMANDS = (
    *(info, encode, mix, vary, edit, attribute, grid, animate, apply, sample),
    *(demo_faces, import_model, scan, train, export, fit_previews, evaluate, bench),
)
_EPILOG = """\
"automod COMMAND --help" tells more of a command, with examples.

exit codes: 0 done, 1 something cannot be read, written or used (one sentence says what), 2 wrong usage,
130 stopped with Ctrl+C. Files are written whole or not at all; files of the same name are replaced.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    Args:
        argv: the words after the program's name; None means those the program was started with.

    Raises:
        SystemExit: code 0 after --help and --version, 2 after wrong usage.
    """
    args = parse(sys.argv[1:] if argv is None else list(argv))
    try:
        with _ending_on_sigterm():
            code: int = args.run(args)
            sys.stdout.flush()
            return code
    except UserError as error:
        warn(str(error))
        return 1
    except MemoryError:
        warn("There is not enough memory for this.")
        return 1
    except BrokenPipeError:  # the reader of our output, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        warn("Stopped.")
        return 130


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse a command line; `run` in the result is the command's function.

    Raises:
        SystemExit: as main.
    """
    parser = argparse.ArgumentParser(
        prog="automod",
        description="Encode photos, mix them scale by scale, train models: Automod Studio without its window.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add(commands)
    if argv and argv[0] == "mix":
        mix.accept_ranges(commands.choices["mix"], argv[1:])
    return parser.parse_args(argv)


class _Version(argparse.Action):
    """Prints the version; looked up only then, since that takes a while."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            say(f"automod {version('automod-studio')}")
        except PackageNotFoundError:
            say("automod, run from its source without installation")
        parser.exit()


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the program as an exception does: temporary files are removed."""

    def end(number: int, frame: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
