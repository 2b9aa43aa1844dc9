"""How many files and functions of Narrows one call enters: a measure of how far a reader has to walk.

``python bench/entered.py``: a line for a fit in Python and one for a fit from the command line; functions are counted
once, and so are changes from one file to another.
"""

import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np

import narrows as nw
from narrows.cli import main

ROOT = str(Path(nw.__file__).parent)


class Walk:
    """The files and functions that a call enters, in the order in which they are entered."""

    def __init__(self) -> None:
        self.functions: set[CodeType] = set()
        self.files: set[str] = set()
        self.changes, self.last = 0, ""

    def step(self, frame: FrameType, event: str, argument: Any) -> None:
        """Count a function when it is entered; what Python runs to import a module is not counted."""
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(ROOT) or code.co_name == "<module>":
            return
        self.functions.add(code)
        self.files.add(code.co_filename)
        self.changes += code.co_filename != self.last
        self.last = code.co_filename

    def of(self, call: Callable[[], Any]) -> str:
        """Return the counts of a call as a line; a call before it imports what is needed."""
        call()
        threading.setprofile(self.step)
        sys.setprofile(self.step)
        try:
            call()
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]
        return f"{len(self.files):>4} files, {len(self.functions):>4} functions, {self.changes:>6} changes of file"


def fit_in_python() -> None:
    """Fit an autoencoder to rows."""
    nw.AutoEncoder(latent_dim=8, epochs=2, random_state=0).fit_transform(
        np.random.default_rng(0).normal(size=(300, 20))
    )


def fit_from_a_file() -> None:
    """Fit an anomaly detector to a table."""
    with tempfile.TemporaryDirectory() as folder:
        rows = np.random.default_rng(0).normal(size=(300, 5)).round(3)
        lines = [",".join(map(str, row)) for row in rows]
        table = Path(folder, "table.csv")
        table.write_text("\n".join(["a,b,c,d,e", *lines]) + "\n", encoding="utf-8")
        main(["fit", "anomaly", str(table), "-o", f"{folder}/run", "--epochs", "2", "--quiet"])


if __name__ == "__main__":
    print("AutoEncoder(latent_dim=8).fit_transform(X) ", Walk().of(fit_in_python))
    print("narrows fit anomaly table.csv              ", Walk().of(fit_from_a_file))
