"""A fitted model on disk: ``model.json`` and ``model.safetensors``. Nothing in it can run."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from narrows._version import __version__
from narrows.errors import ArtefactError
from narrows.files import whole, write_text
from narrows.params import FAMILIES, OF_TASK, TASKS
from narrows.parts import as_part, part_from_json, part_json

__all__ = ["load", "read_card", "save"]

FORMAT = 1
CARD, WEIGHTS = "model.json", "model.safetensors"
_NUMBERS = ("n_features_in_", "_n_features_out", "rows_axes_", "seed_", "n_epochs_", "best_epoch_")
_ODD = "not finite"  # marks a number that JSON does not have
_FITTED = (*_NUMBERS, "stopped_", "finished_", "messages_", "input_scale_")


def save(fitted: Any, folder: "str | Path", extra: "dict[str, Any] | None" = None) -> Path:
    """Write a fitted family or task to ``folder`` and return it; ``extra`` is kept in the card under its own keys.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from narrows.families.linear import LinearAutoEncoder
    >>> X = np.random.default_rng(0).normal(size=(20, 4))
    >>> model = LinearAutoEncoder(latent_dim=2).fit(X)
    >>> folder = save(model, tempfile.mkdtemp())
    >>> bool((load(folder).transform(X) == model.transform(X)).all())
    True
    """
    from safetensors.torch import save as to_bytes
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(fitted)
    folder = Path(folder)
    task = type(fitted).name in TASKS and TASKS[type(fitted).name] is type(fitted)
    family = fitted.estimator_ if task else fitted
    tensors = {name: value.detach().cpu().clone().contiguous() for name, value in family.model_.state_dict().items()}
    if task:
        tensors |= {f"{OF_TASK}{name}": values for name, values in fitted.fitted_arrays().items()}
    blob = to_bytes(tensors, {"format": "narrows"})
    card = {
        "format": "narrows",
        "version": FORMAT,
        "narrows": __version__,
        "task": _task_card(fitted) if task else None,
        "family": _family_card(family),
        "weights": {"file": WEIGHTS, "bytes": len(blob), "sha256": hashlib.sha256(blob).hexdigest()},
        **(extra or {}),
    }
    card = plain(card)
    card["digest"] = digest(card)
    with whole(folder / WEIGHTS) as temporary:
        temporary.write_bytes(blob)
    write_text(folder / CARD, json.dumps(card, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
    return folder


def load(folder: "str | Path", parts: Sequence[type] = ()) -> Any:
    """Return the fitted family or task that ``save`` wrote.

    ``parts`` are classes from outside the package that the model uses: passing them is a way to import them. Those that
    are installed under the entry-point group ``narrows.parts`` are found without.
    """
    from safetensors.torch import load as from_bytes

    card = read_card(folder)
    path = Path(folder) / WEIGHTS
    blob = _bytes(path)
    whole_file = "the file as it was written"
    if len(blob) != card["weights"]["bytes"]:
        size = "truncated" if len(blob) < card["weights"]["bytes"] else "too long"
        raise ArtefactError(f"{path} is {size} ({len(blob)} of {card['weights']['bytes']} bytes)", whole_file)
    if hashlib.sha256(blob).hexdigest() != card["weights"]["sha256"]:
        raise ArtefactError(f"{path} was altered (its checksum does not fit {CARD})", whole_file)
    for entry in entry_points(group="narrows.parts"):
        entry.load()
    tensors = from_bytes(blob)
    own = {name.removeprefix(OF_TASK): tensors.pop(name) for name in list(tensors) if name.startswith(OF_TASK)}
    family = _family(card["family"], tensors)
    return family if card["task"] is None else _task(card["task"], family, own)


def read_card(folder: "str | Path") -> dict[str, Any]:
    """Return the checked content of ``model.json``; an artefact that is foreign, newer or altered is refused."""
    path = Path(folder) / CARD
    accepted = "a folder that `narrows fit` or .save() wrote"
    content = _bytes(path)
    try:
        card: dict[str, Any] = json.loads(content.decode())
        ours = card.get("format") == "narrows" and isinstance(card.get("version"), int)
    except (ValueError, AttributeError, RecursionError):
        raise ArtefactError(f"{path} is truncated or no JSON", accepted) from None
    if not ours:
        raise ArtefactError(f"{path} was not written by Narrows", accepted)
    if card["version"] > FORMAT:
        came = f"{path} is of format {card['version']}, newer than this Narrows ({__version__}) reads"
        raise ArtefactError(came, f"format {FORMAT}", "pip install -U narrows")
    if card.get("digest") != digest(card):
        raise ArtefactError(f"{path} was altered (its digest does not fit)", "the file as it was written")
    checked: dict[str, Any] = revived(card)
    return checked


def digest(card: dict[str, Any]) -> str:
    """Return the checksum of a card without its own ``digest``."""
    content = {key: value for key, value in card.items() if key != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def plain(value: Any) -> Any:
    """Return a value as JSON has it: lists, texts, numbers; one that is not finite is marked, for `revived`.

    Examples
    --------
    >>> plain({"a": (1, float("nan")), 2: True})
    {'a': [1, {'not finite': 'nan'}], '2': True}
    """
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if hasattr(value, "tolist"):  # numpy's numbers and arrays, tensors
        return plain(value.tolist())
    return {_ODD: str(value)} if isinstance(value, float) and not math.isfinite(value) else value


def revived(value: Any) -> Any:
    """Return what ``plain`` was given, in lists and dicts.

    Examples
    --------
    >>> revived(plain({"a": (1, float("-inf"))}))
    {'a': [1, -inf]}
    """
    if isinstance(value, dict):
        return float(value[_ODD]) if value.keys() == {_ODD} else {key: revived(each) for key, each in value.items()}
    return [revived(each) for each in value] if isinstance(value, list) else value


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ArtefactError(f"{path.parent} holds no {path.name}", f"a folder with {CARD} and {WEIGHTS}") from None
    except OSError as error:
        raise ArtefactError(f"{path} cannot be read ({error.strerror})", "a file that you may read") from None


def _params(settings: dict[str, Any], leave: Sequence[str]) -> dict[str, Any]:
    own = {name: value for name, value in settings.items() if name not in leave}
    seed = own.get("random_state")
    if seed is not None and not isinstance(seed, int) and not hasattr(seed, "item"):
        own["random_state"] = None  # a generator object; the seed that was drawn from it is kept as seed_
    return {name: part_json(value) for name, value in own.items()}


def _family_card(family: Any) -> dict[str, Any]:
    fitted = {name: getattr(family, name) for name in (*_FITTED, *family.fitted) if hasattr(family, name)}
    names = getattr(family, "feature_names_in_", None)
    return {
        "name": type(family).name,
        "params": _params(family.settings_, ("checkpoint", "tensorboard", "weights")),
        "shapes": family.shapes_,
        "likelihood": part_json(family.likelihood_),
        "fitted": fitted,
        "feature_names": None if names is None else [str(name) for name in names],
        "history": family.history_,
    }


def _task_card(task: Any) -> dict[str, Any]:
    return {
        "name": type(task).name,
        "params": _params(task.get_params(deep=False), ("estimator",)),
        "fitted": task.fitted_state(),
    }


def _made(table: dict[str, type[Any]], card: dict[str, Any], what: str) -> Any:
    """Return the unfitted family or task of a card."""
    name, params = card["name"], _values(card["params"])
    if name not in table:
        raise ArtefactError(f"This model is of the {what} {name!r}, which is not known here", ", ".join(sorted(table)))
    unknown = sorted(params.keys() - {spec.name for spec in fields(table[name])})
    if unknown:
        came = (
            f"This model has settings of {name!r} that this Narrows ({__version__}) does not know: {', '.join(unknown)}"
        )
        raise ArtefactError(came, "a model of this version", "the version of Narrows that wrote it")
    return table[name](**params)


def _family(card: dict[str, Any], tensors: dict[str, Any]) -> Any:
    import numpy as np

    family = _made(FAMILIES, card, "family")
    shape, target, n_cond = card["shapes"]
    shapes = (tuple(shape), tuple(target), n_cond)
    family.likelihood_ = as_part("likelihood", part_from_json(card["likelihood"]))
    model = family.build(family.problem(shapes, family.likelihood_.build(shapes[1]))).eval()
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ArtefactError(f"The weights do not fit the model ({reason})", "the files of one fit") from None
    family.model_, family.shapes_, family.history_ = model, shapes, card["history"]
    family.settings_ = family.get_params(deep=False)
    vars(family).update(card["fitted"])
    vars(family).update({name: np.asarray(card["fitted"][name]) for name in family.fitted})
    if card["feature_names"] is not None:
        family.feature_names_in_ = np.asarray(card["feature_names"], dtype=object)
    return family


def _task(card: dict[str, Any], family: Any, arrays: dict[str, Any]) -> Any:
    task = _made(TASKS, card, "task")
    task.estimator_ = family
    task.adopt_state(card["fitted"] | {name: values.numpy() for name, values in arrays.items()})
    return task


def _values(params: dict[str, Any]) -> dict[str, Any]:
    return {name: part_from_json(value) for name, value in params.items()}
