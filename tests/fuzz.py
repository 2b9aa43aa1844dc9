"""Run the command on what no program should be given, each case in a process of its own, and count what comes of it.

``make fuzz`` runs all corpora: malformed files (``corpus``), tampered artefacts (``corpus_artefacts``) and drawn
command lines (``corpus_commands``). A corpus is a module with ``cases(folder: Path) -> Iterable[Case]``, which writes
its files into ``folder``. No case may run code (a file called ``canary`` in ``folder`` would be there), print a
traceback, end with another exit code than 0, 1 or 2, take more than 1 GB, or more than 60 s: of the processor, so that
a machine that is busy with something else says the same, and four times as long for one that waits.
"""

import importlib.util
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from corpus_case import CANARY, Case

CORPORA = ("corpus", "corpus_artefacts", "corpus_commands")
SECONDS, WAITING, BYTES = 60.0, 240.0, 1_000_000_000


class Outcome(NamedTuple):
    """What came of a case: exit code (negative: the signal that ended it), peak memory, seconds, and words."""

    case: Case
    code: int
    peak: int
    seconds: float  # of the processor
    elapsed: float
    said: str

    def faults(self) -> list[str]:
        """Name what must not be."""
        held = {
            f"exit code {self.code}": self.code not in (0, 1, 2),
            "a traceback": "Traceback" in self.said,
            f"{self.peak / 1e9:.2f} GB": self.peak > BYTES,
            f"{self.seconds:.0f} s": self.seconds > SECONDS,
            f"{self.elapsed:.0f} s without an end": self.elapsed > WAITING,
            "an unforeseen error": "please report it" in self.said,
            "nothing said": self.code != 0 and not self.said.strip(),
        }
        return [name for name, wrong in held.items() if wrong]


def warm_up() -> None:
    """Import what commands need, so that a forked child need not; nothing is computed, as threads do not survive."""
    for name in (
        "cli",
        "cli.fit",
        "cli.apply",
        "cli.commands",
        "families",
        "tasks",
        "workflows",
        "data",
        "data.tables.files",
    ):
        importlib.import_module(f"narrows.{name}")


def made(corpus: str, folder: Path) -> list[Case]:
    """Write a corpus in a child, whose threads would not survive a fork, and return its cases."""
    listing = folder.with_name(f"{folder.name}.json")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            cases = importlib.import_module(corpus).cases(folder)
            listing.write_text(json.dumps([(case.name, case.argv, str(case.cwd), dict(case.env)) for case in cases]))
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError(f"{corpus} could not be written")
    held = json.loads(listing.read_text())
    listing.unlink()
    return [Case(name, tuple(argv), Path(cwd), env) for name, argv, cwd, env in held]


def run(case: Case) -> Outcome:
    """Run a case in a forked child and measure it; one that takes too much is ended."""
    with tempfile.TemporaryFile() as words:
        started = time.monotonic()
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            _child(case, words.fileno())
        while True:
            done, status, usage = os.wait4(pid, os.WNOHANG)
            if done:
                break
            if time.monotonic() - started > WAITING + 1 or _resident(pid) > 2 * BYTES:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        words.seek(0)
        said = words.read().decode(errors="replace")
    code, peak = os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024
    return Outcome(case, code, peak, usage.ru_utime + usage.ru_stime, time.monotonic() - started, said)


def _child(case: Case, words: int) -> None:
    """Be the command: words go to one file, and there is nothing to read."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (int(SECONDS) + 1, int(SECONDS) + 1))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(words, 1)
    os.dup2(words, 2)
    code = 70
    try:
        os.chdir(case.cwd)
        os.environ.update(case.env)
        code = importlib.import_module("narrows.cli").main(list(case.argv))
    except BaseException:  # noqa: BLE001 - what the command lets through is a finding
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def run_all(cases: Iterable[Case], folder: Path, tell: bool = False) -> list[Outcome]:
    """Run cases one after the other and return those with faults; ``tell`` prints them, and counts at the end."""
    outcomes, wrong = [], []
    for case in cases:
        outcomes.append(found := run(case))
        faults = found.faults() + (["code was run"] if (folder / CANARY).exists() else [])
        (folder / CANARY).unlink(missing_ok=True)
        if faults:
            wrong.append(found)
        if tell and faults:
            print(f"{case.name}: {', '.join(faults)}\n    {' '.join(case.argv)}\n    {found.said[-300:]!r}", flush=True)
    if tell and outcomes:
        codes = Counter(found.code for found in outcomes)
        peak, slow = max(found.peak for found in outcomes), max(found.seconds for found in outcomes)
        elapsed = max(found.elapsed for found in outcomes)
        ends = ", ".join(f"{count} exit {code}" for code, count in sorted(codes.items()))
        most = f"{peak / 1e6:.0f} MB, {slow:.1f} s of the processor and {elapsed:.1f} s in all"
        print(f"{len(outcomes)} cases: {ends}; at most {most}; {len(wrong)} with faults")
    return wrong


def main() -> int:
    """Run all corpora that there are; words on the command line are the corpora, or the cases whose names have them."""
    sys.path.insert(0, str(Path(__file__).parent))
    warm_up()
    wrong = 0
    names = [name for name in CORPORA if name in sys.argv[1:]] or list(CORPORA)
    parts = [word for word in sys.argv[1:] if word not in CORPORA]
    for name in names:
        if importlib.util.find_spec(name) is None:
            continue
        with tempfile.TemporaryDirectory() as place:
            print(f"{name}:", flush=True)
            every = made(name, Path(place))
            cases = [case for case in every if not parts or any(part in case.name for part in parts)]
            wrong += len(run_all(cases, Path(place), tell=True))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
