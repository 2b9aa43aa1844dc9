"""Activations in files, larger than memory: every step reads its own rows."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypedDict

import numpy as np
from numpy.lib.format import open_memmap

from narrows.data.disk.activation_files import SUFFIXES, open_activations
from narrows.data.disk.activations import Activations
from narrows.data.paths import data_path
from narrows.errors import InputError
from narrows.files import whole
from narrows.holdout import ACTIVATIONS
from narrows.params import param
from narrows.tasks.base import Rows, Task
from narrows.tasks.sparse import FeatureDictionary, Survey
from narrows.training.random import seed_of
from narrows.typed_json import Natural
from narrows.workflows.base import Evaluated, Request, Say, Workflow
from narrows.workflows.feature_page import write_features

__all__ = ["ActivationsWorkflow", "RowNames"]

_MAX_RIVAL_ROWS = 20_000  # rows that the competitors are fitted on ...
_MAX_ROW_BYTES = 2**27  # ... and what rows that are looked at together may weigh
_MAX_SURVEYED_ROWS = 200_000  # rows that features.html is made from
_BATCH_ROWS = 1024


class ActivationsState(TypedDict):
    """What a run keeps of how its data was read."""

    width: Natural


class ActivationsWorkflow(Workflow):
    """Activations as npy or safetensors: a file, a folder of such shards, or a pattern, of any size."""

    keeps: ClassVar[Any] = ActivationsState
    knows: ClassVar[tuple[str, ...]] = ("second",)
    writes: ClassVar[tuple[str, ...]] = ("dictionary", "features")

    names: str | None = param(None, "a text file with the name of every row, one per line")
    tensor: str | None = param(None, "which tensor of a .safetensors file holds the activations")

    def accepts(self, task: Task, request: Request) -> bool:
        """Return whether these are files of activations, or none at all, which is said later."""
        path = Path(request.data)
        return path.suffix.lower() in SUFFIXES or path.is_dir() or not path.exists()

    def fit(self, task: Task, request: Request, say: Say) -> dict[str, Any]:
        """Map the files, put some rows aside, and train on the others."""
        if not isinstance(task, FeatureDictionary):
            raise TypeError(f"{task.name} learns no features")
        if request.second is not None:
            raise InputError(f"{request.second!r} came beside {request.data!r}", "one DATA", "--names FILE")
        if Path(request.data).suffix == ".npy":
            request.refuse({"tensor": "an .npy file holds one array, which has no name"})
        request.refuse({"image_shape": "activations are no images"})
        rows, notes = open_activations(request.data, self.tensor)
        self.rows, self.task, self.called = rows, task, Path(request.data).name
        self.names_of = RowNames(self.names, len(rows))
        for note in notes:
            say(note)
        for name, value in task.suited(rows.shapes[0]).items():
            if name not in request.given:
                task.set_params(**{name: value})
        parts = ACTIVATIONS.runs(len(rows), seed_of(task.random_state))
        self.learn, self.test, self.split = rows.take(parts.learn), rows.take(parts.measure), parts.split
        self.test.require_finite()
        size = sum(shard.values.nbytes for shard in rows.shards)
        size_text = f"{size / 2**20:,.0f} MiB" if size >= 2**23 else f"{size / 2**10:,.0f} KiB"
        say(f"{task.name}: {len(self.learn):,} rows of {rows.width} values from {size_text} of activations")
        task.fit(self.learn)
        return {
            "name": self.called,
            "rows": len(rows),
            "used": len(self.learn),
            "held_out": parts.n_held,
            "values per row": str(rows.width),
            "shards": len(rows.shards),
            "fingerprint": rows.fingerprint()[:16],
            "notes": notes,
            "split": parts.split,
        }

    def evaluate(self) -> Evaluated:
        """Measure on the rows that were put aside."""
        most = _MAX_ROW_BYTES // (4 * self.rows.width)
        limits = [min(rows, most) for rows in (_MAX_RIVAL_ROWS, int(ACTIVATIONS.at_most))]
        learnt_rows, held = (part.rows(part.spread(n)) for part, n in zip((self.learn, self.test), limits, strict=True))
        return Evaluated(self.task.evaluate(Rows(learnt_rows), Rows(held, split=self.split)), None)

    def write(self, folder: Path) -> list[Path]:
        """Write the dictionary and what its features are at work in."""
        from safetensors.torch import save as to_bytes

        about = {"format": "narrows", "k": str(self.task.k_)}
        about["code"] = "z = the k largest of relu(x @ W_enc + b_enc), x = z @ W_dec + b_dec"
        with whole(folder / "dictionary.safetensors") as draft:
            draft.write_bytes(to_bytes(self.task.dictionary(), about))
        page = _page(self.task, self.rows, self.names_of, self.called, folder)
        return [folder / "dictionary.safetensors", page]

    def state(self) -> dict[str, Any]:
        """Return the width of the rows."""
        return {"width": self.rows.width}

    def apply(self, task: Task, state: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write the features at work in every new row, their values, and the page; DATA2 names the rows.

        Raises InputError where the rows are of another width than at the fit.
        """
        if not isinstance(task, FeatureDictionary):
            raise TypeError(f"{task.name} learnt no features")
        rows, notes = open_activations(request.data, self.tensor)
        if rows.width != state["width"]:
            raise InputError(f"{request.data} holds rows of {rows.width} values", f"{state['width']}, as at fit")
        for note in notes:
            say(note)
        names = RowNames(request.second, len(rows))
        paths = _codes(task, rows, out)
        return [*paths, _page(task, rows, names, Path(request.data).name, out)]


class RowNames:
    """The names of rows: the lines of a text file, of which only those that are asked for are kept; or numbers.

    Examples
    --------
    >>> RowNames(None, 3)(np.array([2]))
    ['row 2']
    """

    def __init__(self, path: str | None, rows: int):
        self.path = path
        if path is None:
            return
        data_path(path)
        try:
            count = sum(1 for _ in self._lines())
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path!r} cannot be read as names ({error})", "a text file, one name per line") from None
        if count != rows:
            raise InputError(f"{path!r} holds {count:,} names for {rows:,} rows", "one name per row, one per line")

    def __call__(self, places: np.ndarray) -> list[str]:
        """Return the names of the rows at these positions, which are in order."""
        if self.path is None:
            return [f"row {place}" for place in places]
        positions = set(places.tolist())
        return [line.rstrip("\r\n") for place, line in enumerate(self._lines()) if place in positions]

    def _lines(self) -> Iterator[str]:
        with Path(str(self.path)).open(encoding="utf-8-sig", newline="\n") as file:
            yield from file


def _page(task: FeatureDictionary, rows: Activations, names: RowNames, name: str, folder: Path) -> Path:
    """Write features.html from at most 200 000 rows."""
    chosen = rows.spread(_MAX_SURVEYED_ROWS)
    survey: Survey = task.survey(rows.take(chosen))
    return write_features(survey, folder / "features.html", name, lambda places: names(chosen[places]))


def _codes(task: FeatureDictionary, rows: Activations, out: Path) -> list[Path]:
    """Write features and values of every row, some rows at a time."""
    k, paths = task.k_, [out / "features.npy", out / "values.npy"]
    with whole(paths[0]) as first, whole(paths[1]) as second:
        features = open_memmap(first, "w+", np.int32, (len(rows), k))
        values = open_memmap(second, "w+", np.float32, (len(rows), k))
        for start in range(0, len(rows), _BATCH_ROWS):
            part = slice(start, min(start + _BATCH_ROWS, len(rows)))
            outputs = task.outputs(rows.take(np.arange(part.start, part.stop)), fresh=True)
            features[part], values[part] = outputs["features"], outputs["values"]
        for array in (features, values):
            array.flush()
    return paths
