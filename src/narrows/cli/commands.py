"""``narrows report``, ``narrows check``, ``narrows data`` and ``narrows selftest``."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from narrows.cli.flags import Options
from narrows.errors import InputError, nearest

if TYPE_CHECKING:
    import polars as pl

__all__ = ["check", "data", "report", "selftest"]


def report(options: Options) -> int:
    """Write report.html and report.json again from what RUN holds."""
    from narrows.cli.claim import opened
    from narrows.lock import locked
    from narrows.model_card import read_card
    from narrows.reporting.html.page import write_report
    from narrows.reporting.report import read_report

    run = Path(options.run)
    opened(run)
    read_card(run)
    saved = read_report(run)
    with locked(run):
        write_report(saved, run)
    sys.stdout.write(f"{saved.verdict['text']}\nReport: {run / 'report.html'}\n")
    return 0


def check(options: Options) -> int:
    """Say what would go wrong with DATA; exit code 2 when training would be refused."""
    from narrows.cli.messages import translated
    from narrows.data import read
    from narrows.data.check import examined
    from narrows.data.tables.chosen_kinds import with_kinds
    from narrows.data.tables.chosen_missing import with_missing

    try:
        source = read(options.data, encoding=options.encoding, skip_unreadable=bool(options.skip_unreadable))
    except InputError as error:
        raise translated(error, ["skip_unreadable"]) from None
    source = with_kinds(with_missing(source, options.missing), options.column)
    findings, columns = examined(source, likelihood=options.likelihood, label=options.label)
    sys.stdout.write("" if columns is None else _table(columns))
    for finding in findings:
        sys.stdout.write(f"{finding.level}: {'. '.join(filter(None, (finding.what, finding.fix)))}.\n")
    errors = any(finding.level == "error" for finding in findings)
    outcome = "cannot be used as it is" if errors else "nothing stands in the way"
    sys.stdout.write(f"{source.name}: {len(source):,} row{'s' * (len(source) != 1)}, {outcome}.\n")
    return 2 if errors else 0


_MAX_COLUMNS, _MAX_LETTERS = 60, 28  # columns of a table that are listed, letters of a cell that are shown


def _table(table: "pl.DataFrame") -> str:
    """Return the first columns that a table describes as lines of text, and an empty line."""
    rows = [table.columns, *([str(cell) for cell in row] for row in table.head(_MAX_COLUMNS).iter_rows())]
    short = [[cell if len(cell) <= _MAX_LETTERS else f"{cell[: _MAX_LETTERS - 3]}..." for cell in row] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(*short, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in short]
    more = [f"... and {len(table) - _MAX_COLUMNS} more columns"] if len(table) > _MAX_COLUMNS else []
    return "\n".join([*lines, *more, "\n"])


def data(options: Options) -> int:
    """List the named datasets, or fetch one.

    Raises InputError where no dataset has that name.
    """
    from narrows.data import datasets

    if options.name is None:
        rows = [(str(a), str(b), str(c)) for a, b, c in datasets.table()]
        widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
        for name, what, where in rows:
            sys.stdout.write(f"{name:<{widths[0]}}  {what:<{widths[1]}}  {where}\n")
        return 0
    if options.name not in datasets.DATASETS:
        hint = f"narrows data {nearest(options.name, datasets.DATASETS)}".rstrip()
        raise InputError(f"There is no dataset {options.name!r}", ", ".join(datasets.DATASETS), hint)
    source = datasets.load(options.name)
    test = f" and {len(source.test):,} test rows" if source.test is not None else ""
    sys.stdout.write(f"{source.name}: {len(source):,} rows{test}\n")
    return 0


def selftest(options: Options) -> int:
    """Measure what is known in closed form, one line per check; exit code 1 when one does not hold."""
    from narrows.selftest import CHECKS
    from narrows.selftest import selftest as outcomes

    started, held, interactive = time.perf_counter(), 0, sys.stderr.isatty()
    sys.stdout.write(f"{'':<8}{'measured':>9}{'at most':>10}\n")
    for done, result in enumerate(outcomes(), 1):
        held += result.holds
        word = "ok" if result.holds else "FAILED"
        sys.stdout.write(f"{word:<8}{result.measured:>9.2g}{result.tolerance:>10.2g}  {result.what}\n")
        sys.stdout.flush()
        if interactive and done < len(CHECKS):
            sys.stderr.write(f"{done + 1} of {len(CHECKS)} ...\r")
    sys.stdout.write(f"{held} of {len(CHECKS)} hold ({time.perf_counter() - started:.0f} s).\n")
    return 0 if held == len(CHECKS) else 1
