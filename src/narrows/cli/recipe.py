"""``narrows recipe``: the systems of the classic tutorials."""

import sys
from pathlib import Path

from narrows.cli.flags import Options
from narrows.cli.run_folder import tidy
from narrows.errors import InputError, nearest
from narrows.files import write_text
from narrows.lock import LOCK, locked
from narrows.recipes import RECIPES, Run

__all__ = ["recipe"]


def recipe(options: Options) -> int:
    """List the recipes, or run one into a folder; the same one again goes on where it stopped.

    Raises InputError where there is no such recipe, or where its data is missing or of no use.
    """
    if options.name is None:
        width = max(map(len, RECIPES))
        for name, entry in sorted(RECIPES.items()):
            sys.stdout.write(f"{name:<{width}}  {entry.summary}\n")
        return 0
    if options.name not in RECIPES:
        hint = f"narrows recipe {nearest(options.name, RECIPES)}".rstrip()
        raise InputError(f"There is no recipe {options.name!r}", ", ".join(sorted(RECIPES)), hint)
    chosen = RECIPES[options.name]
    folder = Path(options.output or Path("runs") / (chosen.name + ("-quick" if options.quick else "")))
    data = Path(options.data) if options.data else None
    if chosen.folder and data is None and not options.quick:
        hint = f"narrows recipe {chosen.name} --data FOLDER, or --quick"
        raise InputError(f"{chosen.name} needs data that Narrows cannot fetch", chosen.folder, hint)
    if data is not None and not chosen.folder:
        raise InputError(f"{chosen.name} reads no --data: it has its own", "no --data", f"narrows recipe {chosen.name}")
    if data is not None and not data.is_dir():
        raise InputError(f"{data} is no folder", chosen.folder, "--quick")
    with locked(folder):
        claim(folder, f"{chosen.name}{' quick' if options.quick else ''}")
        run = Run(chosen.name, folder, quick=options.quick, data=data, say=_say)
        chosen.run(run)
        report = run.write()
    _say(report.verdict["text"])
    _say(f"Report: {folder / 'report.html'}")
    return 0


def claim(folder: Path, what: str) -> None:
    """Open a folder for a recipe; refuse one that holds anything else."""
    mark = folder / "recipe.txt"
    occupied = folder.is_dir() and any(path.name != LOCK for path in folder.iterdir())
    if folder.is_file() or (occupied and not mark.is_file()):
        raise InputError(f"{folder} exists and is no run of a recipe", "a folder that is new or empty", "another -o")
    held = mark.read_text(encoding="utf-8").strip() if mark.is_file() else what
    if held != what:
        raise InputError(f"{folder} holds the recipe {held!r}", f"a folder of {what!r}, or a new one", "another -o")
    tidy(folder)
    write_text(mark, f"{what}\n")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
