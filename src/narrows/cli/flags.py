"""The grammar of the command line; the flags of a task and a family come from their fields."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from narrows.errors import InputError, nearest

__all__ = ["Options", "field_table", "parse"]

Options = argparse.Namespace
DATA = "a table (csv, xlsx, json, SQLite, parquet, npy, ...; - is piped text), a folder of images, or a named dataset"

SKIP = "leave out images that cannot be read, and name them"


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, with the nearest flag or command."""

    usage_line = ""  # what a whole call looks like

    def error(self, message: str) -> NoReturn:
        """Raise what the command line says of a wrong call."""
        rest = message.rpartition(": ")[2]
        if "unrecognized" in message:
            raise self.unknown(rest)
        if "invalid choice" in message:
            raise no_command(message.partition("'")[2].partition("'")[0])
        if "required" in message:
            came = f"{rest.replace('-o/--output', '-o')} is missing"
            raise InputError(came, self.usage_line, f"{self.prog} --help")
        name = message.removeprefix("argument ").partition(":")[0].rpartition("/")[2]
        raise InputError(f"{name}: {rest}", "", f"{self.prog} --help")

    def unknown(self, rest: str) -> InputError:
        """Say of a word that no flag takes what it may have been."""
        word = rest.split()[0].partition("=")[0]
        known = [flag for action in self._actions for flag in action.option_strings]
        if not word.startswith("-"):
            return InputError(f"{rest!r} is one word too many", self.usage_line, f"{self.prog} --help")
        flag = f"--{word.lstrip('-').replace('_', '-')}"
        near = nearest(flag, known)
        owners = "" if near == flag else _owners(flag[2:].replace("-", "_").lower())
        came = f"There is no flag {word} here" + (f": it belongs to {owners}" if owners else "")
        return InputError(came, "", near if near and not owners else f"{self.prog} --help")


def no_command(word: str) -> InputError:
    """Return the error that there is no such command, also where it is a task."""
    tasks = field_table()["tasks"]
    near = nearest(word, [*tasks, *_MODULES])
    hint = f"narrows fit {near} DATA -o RUN" if near in tasks else f"narrows {near or '--help'}"
    return InputError(f"There is no command {word!r}", ", ".join(_MODULES), hint)


def _owners(name: str) -> str:
    """Return the tasks and families that have a field."""
    table = field_table()
    kinds = (("task", "tasks"), ("family", "families"))
    owners = [
        (what, owner)
        for what, many in kinds
        for owner, card in table[many].items()
        if name in map(_name, card["fields"])
    ]
    return " and ".join(f"the {what} {owner}" for what, owner in owners)


def _name(card: dict[str, Any]) -> str:
    return str(card["name"])


def field_table() -> dict[str, Any]:
    """Return the fields of every task and family, and what runs hold, from the generated file beside this one."""
    table: dict[str, Any] = json.loads(Path(__file__).with_name("fields.json").read_text(encoding="utf-8"))
    return table


def parse(words: Sequence[str]) -> tuple[Callable[[Options], int], Options]:
    """Return the command to run and its options.

    Raises InputError where no command came.
    """
    summary = "The autoencoder toolkit: compress, clean and compare, on your own data."
    parser = Parser(prog="narrows", description=summary)
    parser.add_argument("-V", "--version", action="store_true", help="show the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    fit = commands.add_parser("fit", help="train a model for a task", add_help=False)
    fit.add_argument("rest", nargs=argparse.REMAINDER)
    _apply(commands)
    _rethreshold(commands)
    _small(commands)
    if not words or words[0] in ("-h", "--help", "help"):
        parser.print_help()
        raise SystemExit(0)
    options = parse_fit(words[1:]) if words[0] == "fit" else parser.parse_args(words)
    if options.command is None:
        raise InputError("No command came", ", ".join(_MODULES), "narrows --help")
    module = import_module(f"narrows.cli.{_MODULES[options.command]}")
    return getattr(module, options.command), options


_MODULES = {
    **{name: name for name in ("fit", "apply", "recipe", "rethreshold")},
    **dict.fromkeys(("report", "check", "data", "selftest"), "commands"),
}


def _command(commands: Any, name: str, help: str, usage: str) -> Parser:
    parser: Parser = commands.add_parser(name, help=help, description=sentence(help))
    parser.usage_line = f"narrows {name} {usage}"
    return parser


def _apply(commands: Any) -> None:
    parser = _command(commands, "apply", "use a fitted model on new data", "RUN DATA -o OUT")
    parser.add_argument("run", metavar="RUN", help="folder that `narrows fit` wrote")
    parser.add_argument(
        "data", metavar="DATA", nargs="?", default="", help=f"{DATA}; none with --history or to generate"
    )
    parser.add_argument("second", metavar="DATA2", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="folder for the results")
    parser.add_argument(
        "--history", metavar="FILE", help="what new users took, for a recommender; one user needs no name"
    )
    parser.add_argument("--titles", metavar="FILE", help="titles of the items of a recommender; none: those of the fit")
    parser.add_argument("--encoding", metavar="NAME", help="the encoding of a text file that is not UTF-8")
    parser.add_argument("--skip-unreadable", action="store_true", default=None, help=SKIP)
    parser.add_argument("--decode", action="store_true", help="DATA holds codes; turn them into rows")
    parser.add_argument("--overwrite", action="store_true", help="write into OUT although it holds files")
    parser.add_argument("-n", type=int, metavar="N", help="generate: how many new rows (64)")
    parser.add_argument("--class", dest="label", metavar="NAME", help="generate: the class of the new rows")
    help = "generate: a condition on a column of the new rows: income=>50K, age=30..40"
    parser.add_argument("--where", action=Joined, metavar="NAME=VALUE", help=help)
    parser.add_argument("--random-state", type=int, metavar="N", help="generate: seed; none: new rows every time")


def _rethreshold(commands: Any) -> None:
    help, usage = "change the false alarm rate of an anomaly detector, without training", "RUN --fpr X"
    parser = _command(commands, "rethreshold", help, usage)
    parser.add_argument("run", metavar="RUN", help="folder that `narrows fit anomaly` wrote")
    parser.add_argument("--fpr", metavar="X", required=True, help="share of ordinary rows that may be flagged")


def _small(commands: Any) -> None:
    parser = _command(commands, "report", "write a run's report.html and report.json again", "RUN")
    parser.add_argument("run", metavar="RUN", help="folder that `narrows fit` wrote")
    parser = _command(commands, "check", "say what would go wrong with data, before training", "DATA")
    parser.add_argument("data", metavar="DATA", help=DATA)
    parser.add_argument("--likelihood", help="also check that the values are in this likelihood's range")
    parser.add_argument(
        "--label", metavar="COLUMN", help="the column that holds labels; those that give it away are named"
    )
    parser.add_argument("--encoding", metavar="NAME", help="the encoding of a text file that is not UTF-8")
    parser.add_argument("--skip-unreadable", action="store_true", default=None, help=SKIP)
    parser.add_argument(
        "--column", action=Joined, metavar="NAME=KIND", help="read a column as something else: zip=category"
    )
    parser.add_argument(
        "--missing", action=Joined, metavar="NAME=VALUE", help="a value that stands for a missing cell: age=-1"
    )
    parser = _command(commands, "recipe", "train a system of the classic tutorials and show its evidence", "[NAME]")
    parser.add_argument("name", metavar="NAME", nargs="?", help="which one; none: list them")
    parser.add_argument("-o", "--output", metavar="RUN", help="folder for models and report (runs/NAME)")
    parser.add_argument("--quick", action="store_true", help="a miniature of less than a minute")
    parser.add_argument("--data", metavar="FOLDER", help="the data of a recipe that Narrows cannot fetch")
    parser = _command(commands, "data", "list the named datasets, or fetch one", "[NAME]")
    parser.add_argument("name", metavar="NAME", nargs="?", help="fetch this one if it is not here")
    _command(commands, "selftest", "check the arithmetic on this machine against closed forms", "")


def sentence(text: str) -> str:
    """Return a text as a sentence, its names as they are.

    Examples
    --------
    >>> sentence("against PCA")
    'Against PCA.'
    """
    return f"{text[0].upper()}{text[1:]}."


def parse_fit(words: Sequence[str]) -> Options:
    """Read ``fit TASK DATA -o RUN ...``; the flags depend on the task and its family.

    Raises InputError where there is no such task.
    """
    table = field_table()
    names = ", ".join(table["tasks"])
    task = next((word for word in words if not word.startswith("-")), None)
    if task is None and words and words[0] in ("-h", "--help"):
        lines = [f"  {name:<10} {card['summary']}" for name, card in table["tasks"].items()]
        sys.stdout.write(
            "usage: narrows fit TASK DATA -o RUN [--family F] [flags]\n\nTASK is one of\n" + "\n".join(lines)
        )
        sys.stdout.write("\n\n`narrows fit TASK --help` shows the flags of a task.\n")
        raise SystemExit(0)
    if task not in table["tasks"]:
        came = f"There is no task {task!r}" if task else "No task came"
        near = nearest(task or "", table["tasks"]) or "reduce"
        raise InputError(came, names, f"narrows fit {near} DATA -o RUN")
    card = table["tasks"][task]
    family = _family(words, card["family"], table)
    parser = _fit_parser(str(task), card, table)
    _fields(parser.add_argument_group(f"the task, {task}"), card["fields"])
    _fields(parser.add_argument_group("how the data is read"), card["reading"])
    taken = {field["name"] for field in (*card["fields"], *card["reading"])}
    group = parser.add_argument_group(f"the family, {family}")
    defaults = card["defaults"] if family == card["family"] else {}
    family_fields = [field for field in table["families"][family]["fields"] if field["name"] not in taken]
    _fields(group, [{**field, "default": defaults.get(field["name"], field["default"])} for field in family_fields])
    options = parser.parse_args(words)
    options.task_fields = [field["name"] for field in card["fields"]]
    options.reading_fields = [field["name"] for field in card["reading"]]
    options.family_fields = [field["name"] for field in family_fields]
    return options


def _fit_parser(task: str, card: dict[str, Any], table: dict[str, Any]) -> Parser:
    about = sentence(card["summary"])
    parser = Parser(prog=f"narrows fit {task}", description=about, allow_abbrev=False)
    parser.usage = f"narrows fit {task} DATA -o RUN [flags]"
    parser.usage_line = f"narrows fit {task} DATA -o RUN"
    parser.set_defaults(command="fit", task_fields=[], reading_fields=[], family_fields=[])
    parser.add_argument("task", metavar="TASK", help=argparse.SUPPRESS)
    parser.add_argument("data", metavar="DATA", help=card["data"])
    parser.add_argument("second", metavar="DATA2", nargs="?", help="what belongs to DATA: masks, clean images, B")
    parser.add_argument("-o", "--output", metavar="RUN", required=True, help="folder for the model and the report")
    parser.add_argument(
        "--valid", metavar="DATA", help="data to measure on instead of a part of DATA; two folders with a comma"
    )
    parser.add_argument("--family", default=None, help=f"one of {', '.join(table['families'])} ({card['family']})")
    parser.add_argument("--from", metavar="RUN", dest="origin", help="start from the weights and the columns of a run")
    parser.add_argument("--resume", action="store_true", help="go on with a fit that was stopped")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the run that RUN holds, once the new one is finished"
    )
    parser.add_argument("--quiet", action="store_true", help="show nothing but the verdict and where the report is")
    figures = "figures in the report, which are most of the time of a small fit (yes)"
    parser.add_argument("--figures", action=argparse.BooleanOptionalAction, default=True, help=figures)
    return parser


def _family(words: Sequence[str], default: str, table: dict[str, Any]) -> str:
    pairs = [word.partition("=")[2] for word in words if word.startswith("--family=")]
    pairs += [after for word, after in pairwise(words) if word == "--family"]
    chosen = pairs[-1] if pairs else default
    if chosen not in table["families"]:
        acronyms = {card["acronym"]: name for name, card in table["families"].items()}
        near = acronyms.get(chosen.casefold().replace("-", "")) or nearest(chosen, table["families"]) or default
        raise InputError(f"There is no family {chosen!r}", ", ".join(table["families"]), f"--family {near}")
    return chosen


def _fields(group: Any, cards: Sequence[dict[str, Any]]) -> None:
    for card in cards:
        flag = "--" + card["name"].replace("_", "-")
        words = f"{card['help']} ({card['default']})".replace("%", "%%")
        if card["switch"]:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=words)
        else:
            action = Joined if card.get("several") else "store"
            group.add_argument(flag, default=argparse.SUPPRESS, metavar=card["metavar"], help=words, action=action)


class Joined(argparse.Action):
    """Keeps the texts of a flag that came several times with commas between."""

    def __call__(self, parser: Any, namespace: Options, values: Any, option_string: str | None = None) -> None:
        """Add one text."""
        before = getattr(namespace, self.dest, None)
        setattr(namespace, self.dest, f"{before},{values}" if before else values)
