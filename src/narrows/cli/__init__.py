"""The command line. Nothing heavy is imported before a command runs."""

import os
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 the run failed, 2 the user's input is wrong."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words in (["--version"], ["-V"]):
        from narrows._version import __version__

        sys.stdout.write(f"narrows {__version__}\n")
        return 0
    # Threads that wait by spinning make small models slow as soon as another process wants the core.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from narrows.cli.flags import parse
    from narrows.errors import InputError

    try:
        command, options = parse(words)
        code: int = command(options)
        sys.stdout.flush()
        return code
    except InputError as error:
        sys.stderr.write(f"narrows: {error}\n")
        return 2
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the reader has gone; nothing more can be said
        return 1
    except OSError as error:
        sys.stderr.write(f"narrows: {error.filename or 'the file'}: {error.strerror or error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("narrows: interrupted\n")
        return 1
