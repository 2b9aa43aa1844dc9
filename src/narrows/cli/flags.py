"""The grammar of the command line; the flags of a task and a family come from their fields."""

import argparse
import difflib
import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from narrows.errors import InputError

__all__ = ["Options", "field_table", "parse"]

Options = argparse.Namespace
DATA = "a table (csv, tsv, parquet, npy, npz), a folder of images, or a named dataset"


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, with the nearest flag."""

    def error(self, message: str) -> NoReturn:
        """Raise what the command line says of a wrong call."""
        word = message.rpartition(": ")[2].split()[0].split("=")[0] if "unrecognized" in message else ""
        known = [flag for action in self._actions for flag in action.option_strings]
        near = difflib.get_close_matches(word, known, 1)
        hint = near[0] if near else f"{self.prog} --help"
        raise InputError(message[0].upper() + message[1:], "", hint)


def field_table() -> dict[str, Any]:
    """Return the fields of every task and family, from the generated file beside this one."""
    table: dict[str, Any] = json.loads(Path(__file__).with_name("fields.json").read_text(encoding="utf-8"))
    return table


def parse(words: Sequence[str]) -> tuple[Callable[[Options], int], Options]:
    """Return the command to run and its options."""
    parser = Parser(prog="narrows", description="The autoencoder toolkit: compress, clean and compare, on your own data.")
    parser.add_argument("-V", "--version", action="store_true", help="show the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    fit = commands.add_parser("fit", help="train a model for a task", add_help=False)
    fit.add_argument("rest", nargs=argparse.REMAINDER)
    _apply(commands)
    _small(commands)
    if not words or words[0] in ("-h", "--help", "help"):
        parser.print_help()
        raise SystemExit(0)
    options = parse_fit(words[1:]) if words[0] == "fit" else parser.parse_args(words)
    module = import_module(f"narrows.cli.{_MODULES[options.command]}")
    return getattr(module, options.command), options


_MODULES = {"fit": "fit", "apply": "apply", "report": "small", "check": "small", "data": "small"}


def _apply(commands: Any) -> None:
    made = commands.add_parser("apply", help="use a fitted model on new data", description="Use a fitted model on new data.")
    made.add_argument("run", metavar="RUN", help="folder that `narrows fit` wrote")
    made.add_argument("data", metavar="DATA", help=DATA)
    made.add_argument("-o", "--output", metavar="OUT", required=True, help="folder for the results")
    made.add_argument("--decode", action="store_true", help="DATA holds codes; turn them into rows")
    made.add_argument("--overwrite", action="store_true", help="write into OUT although it holds files")


def _small(commands: Any) -> None:
    made = commands.add_parser("report", help="write report.html and report.json again", description="Write a run's report again.")
    made.add_argument("run", metavar="RUN", help="folder that `narrows fit` wrote")
    made = commands.add_parser("check", help="say what would go wrong with data", description="Say what would go wrong, before training.")
    made.add_argument("data", metavar="DATA", help=DATA)
    made.add_argument("--likelihood", help="also check that the values are in this likelihood's range")
    made = commands.add_parser("data", help="the named datasets", description="Where the named datasets are, and how they come.")
    made.add_argument("name", metavar="NAME", nargs="?", help="fetch this one if it is not here")


def parse_fit(words: Sequence[str]) -> Options:
    """Read ``fit TASK DATA -o RUN ...``; the flags depend on the task and its family."""
    table = field_table()
    names = ", ".join(table["tasks"])
    task = next((word for word in words if not word.startswith("-")), None)
    if task is None and words and words[0] in ("-h", "--help"):
        lines = [f"  {name:<10} {card['summary']}" for name, card in table["tasks"].items()]
        sys.stdout.write("usage: narrows fit TASK DATA -o RUN [--family F] [flags]\n\nTASK is one of\n" + "\n".join(lines))
        sys.stdout.write("\n\n`narrows fit TASK --help` shows the flags of a task.\n")
        raise SystemExit(0)
    if task not in table["tasks"]:
        near = difflib.get_close_matches(task or "", table["tasks"], 1)
        came = f"There is no task {task!r}" if task else "No task came"
        raise InputError(came, names, f"narrows fit {near[0] if near else 'reduce'} DATA -o RUN")
    card = table["tasks"][task]
    family = _family(words, card["family"], table)
    parser = Parser(prog=f"narrows fit {task}", description=card["summary"].capitalize() + ".", allow_abbrev=False)
    parser.set_defaults(command="fit", task_fields=[], family_fields=[])
    parser.add_argument("task", metavar="TASK", help=argparse.SUPPRESS)
    parser.add_argument("data", metavar="DATA", help=DATA)
    parser.add_argument("-o", "--output", metavar="RUN", required=True, help="folder for the model and the report")
    parser.add_argument("--family", default=None, help=f"one of {', '.join(table['families'])} ({card['family']})")
    parser.add_argument("--image-size", metavar="HxW", help="size that images of a folder are brought to")
    parser.add_argument("--resume", action="store_true", help="go on with a fit that was stopped")
    parser.add_argument("--overwrite", action="store_true", help="replace what RUN holds")
    parser.add_argument("--quiet", action="store_true", help="show nothing but the verdict")
    _fields(parser.add_argument_group(f"the task, {task}"), card["fields"])
    taken = {each["name"] for each in card["fields"]}
    group = parser.add_argument_group(f"the autoencoder, {family}")
    defaults = card["defaults"] if family == card["family"] else {}
    own = [each for each in table["families"][family]["fields"] if each["name"] not in taken]
    _fields(group, [{**each, "default": defaults.get(each["name"], each["default"])} for each in own])
    options = parser.parse_args(words)
    options.task_fields = [each["name"] for each in card["fields"]]
    options.family_fields = [each["name"] for each in own]
    return options


def _family(words: Sequence[str], default: str, table: dict[str, Any]) -> str:
    pairs = [word.partition("=")[2] for word in words if word.startswith("--family=")]
    pairs += [after for word, after in zip(words, words[1:], strict=False) if word == "--family"]
    chosen = pairs[-1] if pairs else default
    if chosen not in table["families"]:
        near = difflib.get_close_matches(chosen, table["families"], 1)
        raise InputError(f"There is no family {chosen!r}", ", ".join(table["families"]), f"--family {near[0] if near else default}")
    return chosen


def _fields(group: Any, cards: Sequence[dict[str, Any]]) -> None:
    for card in cards:
        flag = "--" + card["name"].replace("_", "-")
        words = f"{card['help']} ({card['default']})".replace("%", "%%")
        if card["switch"]:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=words)
        else:
            group.add_argument(flag, default=argparse.SUPPRESS, metavar=card["metavar"], help=words)
