"""The command line. Nothing heavy is imported before a command runs."""

import os
import sys
import warnings
from collections.abc import Sequence

from narrows._version import __version__

__all__ = ["main"]

TOO_LARGE = "There is not enough memory for this. Try: fewer rows, smaller images, or a smaller network."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 the run failed, 2 the user's input is wrong.

    A reader of its output that has gone is no fault: the command goes on, as its files are what counts.
    With ``NARROWS_DEBUG`` set, libraries' warnings are shown, and an unforeseen error comes with its traceback.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    with warnings.catch_warnings():
        if not os.environ.get("NARROWS_DEBUG"):
            warnings.simplefilter("ignore")
        return guarded(words)


def guarded(words: Sequence[str]) -> int:
    """Run a command; whatever goes wrong becomes one line on stderr and an exit code."""
    from narrows.cli.streams import lasting, opened
    from narrows.errors import InputError

    try:
        opened()
        require_place()
    except InputError as error:
        return say(str(error), 2)
    with lasting() as out:
        code = outcome(words)
        out.flush()
        return say(f"Standard output could not be written ({out.lost}).", 2) if out.lost and not code else code


def require_place() -> None:
    """Refuse to start in a folder that has been removed, where libraries end the process."""
    from narrows.errors import InputError

    try:
        os.getcwd()
    except OSError:
        raise InputError("The folder that this was started in is gone", "one that exists", "cd ~") from None


def outcome(words: Sequence[str]) -> int:
    """Run a command and return its exit code; what stops it is said in one line on stderr."""
    from narrows.cli.flags import parse
    from narrows.errors import InputError, Interrupted

    try:
        if words in (["--version"], ["-V"]):
            sys.stdout.write(f"narrows {__version__}\n")
            return 0
        command, options = parse(words)
        return command(options)
    except SystemExit as done:  # --help
        return int(done.code or 0)
    except InputError as error:
        return say(str(error), 2)
    except OSError as error:
        return say(f"{error.filename or 'a file'}: {error.strerror or error}", 2)
    except UnicodeEncodeError as error:
        odd = ascii(error.object[max(0, error.start - 40) : error.end + 40])
        return say(f"{odd} holds bytes that are no text. Accepted: names in UTF-8. Try: rename it.", 2)
    except (KeyboardInterrupt, Interrupted):
        return say("interrupted", 1)
    except MemoryError:
        return say(TOO_LARGE, 1)
    except Exception as error:
        if isinstance(error, RuntimeError) and "allocate memory" in str(error):  # what torch has for a MemoryError
            return say(TOO_LARGE, 1)
        if os.environ.get("NARROWS_DEBUG"):
            raise
        unforeseen = f"{type(error).__name__}: {error}"
        return say(f"The run failed: {unforeseen}. NARROWS_DEBUG=1 shows where; please report it.", 1)


def say(text: str, code: int) -> int:
    """Write one line to stderr and return the exit code."""
    from narrows.cli.streams import escaped

    sys.stderr.write(escaped(f"narrows: {' '.join(text.split())}\n"))
    return code
