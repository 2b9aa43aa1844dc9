"""A fitted model on disk: ``model.json`` and ``model.safetensors``. Nothing in it can run."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from narrows._version import __version__
from narrows.errors import ArtefactError, InputError
from narrows.files import whole, write_text
from narrows.model_card import (
    CARD,
    FORMAT,
    WEIGHTS,
    Card,
    FamilyCard,
    Fitted,
    UseCard,
    WeightsCard,
    digest,
    file_bytes,
    json_values,
    read_card,
)
from narrows.params import FAMILIES, OF_TASK, TASKS, check_params, places
from narrows.parts import as_part, part_from_json, part_json
from narrows.typed_json import Numbers, typed

__all__ = ["CARD", "digest", "json_values", "load", "read_card", "refusing", "save"]


def save(fitted: Any, folder: "str | Path", extra: "dict[str, Any] | None" = None) -> Path:
    """Write a fitted family or task to ``folder`` and return it; ``extra`` is kept in the card under its own keys.

    Without it, a task that ``load`` read and that was not fitted since keeps what its card held: how a run reads data.

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
        **(extra or _card_read(fitted) or (fitted.journey() if task else {})),
    }
    card = json_values(card)
    card["digest"] = digest(card)
    with whole(folder / WEIGHTS) as temporary:
        temporary.write_bytes(blob)
    write_text(folder / CARD, json.dumps(card, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
    return folder


def load(folder: "str | Path", parts: Sequence[type] = ()) -> Any:
    """Return the fitted family or task that ``save`` wrote.

    ``parts`` are classes from outside the package that the model uses: passing them is a way to import them. Those that
    are installed under the entry-point group ``narrows.parts`` are found without.

    Raises ``ArtefactError`` where the files are missing, foreign, newer, altered, or do not fit each other.
    """
    card = read_card(folder)
    tensors = _tensors(Path(folder) / WEIGHTS, card["weights"])
    for entry in entry_points(group="narrows.parts"):
        entry.load()
    arrays = {name.removeprefix(OF_TASK): tensors.pop(name) for name in list(tensors) if name.startswith(OF_TASK)}
    where = str(Path(folder) / CARD)
    family = _family(card["family"], tensors, f"{where}: family")
    if card["task"] is None:
        return family
    task = _task(card["task"], family, arrays, f"{where}: task")
    entries = {key: value for key, value in card.items() if key not in Card.__required_keys__}
    vars(task)["_read"] = family, entries
    task.adopt_journey(entries)
    return task


def _card_read(fitted: Any) -> dict[str, Any]:
    """Return the entries of other layers in the card that a task was read from, unless it was fitted since."""
    family, entries = vars(fitted).get("_read", (None, {}))
    return entries if family is getattr(fitted, "estimator_", None) else {}


def _tensors(path: Path, card: WeightsCard) -> dict[str, Any]:
    """Return the tensors of the file that the card describes; another file, or one whose header lies, is refused."""
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes

    whole_file, size = "the file as it was written", path.stat().st_size if path.is_file() else card["bytes"]
    if size != card["bytes"]:
        odd = "truncated" if size < card["bytes"] else "too long"
        raise ArtefactError(f"{path} is {odd} ({size} of {card['bytes']} bytes)", whole_file)
    blob = file_bytes(path, card["bytes"])
    if hashlib.sha256(blob).hexdigest() != card["sha256"]:
        raise ArtefactError(f"{path} was altered (its checksum does not fit {CARD})", whole_file)
    try:
        tensors = from_bytes(blob)
    except (SafetensorError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ArtefactError(f"{path} holds no tensors that can be read ({error})", whole_file) from None
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ArtefactError(f"{path} holds values in {name!r} that are not finite", "the weights of a fit")
    return tensors


def _params(settings: dict[str, Any], leave: Sequence[str]) -> dict[str, Any]:
    params = {name: value for name, value in settings.items() if name not in leave}
    seed = params.get("random_state")
    if seed is not None and not isinstance(seed, int) and not hasattr(seed, "item"):
        params["random_state"] = None  # a generator object; the seed that was drawn from it is kept as seed_
    return {name: part_json(value) for name, value in params.items()}


def _family_card(family: Any) -> dict[str, Any]:
    fitted = {
        name: getattr(family, name)
        for name in (*Fitted.__annotations__, *family.fitted.__annotations__)
        if hasattr(family, name)
    }
    names = getattr(family, "feature_names_in_", None)
    return {
        "name": type(family).name,
        "params": _params(family.settings_, places(type(family))),
        "shapes": family.shapes_,
        "likelihood": part_json(family.likelihood_),
        "fitted": fitted,
        "feature_names": None if names is None else [str(name) for name in names],
        "history": family.history_,
    }


def _task_card(task: Any) -> dict[str, Any]:
    return {
        "name": type(task).name,
        "params": _params(task.get_params(deep=False), ("estimator", *places(type(task)))),
        "fitted": task.fitted_state(),
    }


def _made(table: dict[str, type[Any]], card: UseCard, what: str, where: str) -> Any:
    """Return the unfitted family or task of a card; what makes a fit read or write elsewhere is left out."""
    name, cls = card["name"], table.get(card["name"])
    if cls is None:
        raise ArtefactError(f"This model is of the {what} {name!r}, which is not known here", ", ".join(sorted(table)))
    unknown = sorted(card["params"].keys() - {spec.name for spec in fields(cls)})
    if unknown:
        came = (
            f"This model has settings of {name!r} that this Narrows ({__version__}) does not know: {', '.join(unknown)}"
        )
        raise ArtefactError(came, "a model of this version", "the version of Narrows that wrote it")
    params = {name: value for name, value in card["params"].items() if name not in places(cls) and name != "estimator"}
    with refusing(f"{where}.params"):
        unfitted = cls(**{name: part_from_json(value) for name, value in params.items()})
        check_params(unfitted)
    return unfitted


def _family(card: FamilyCard, tensors: dict[str, Any], where: str) -> Any:
    import numpy as np

    from narrows.model import sketch

    family = _made(FAMILIES, card, "family", where)
    shape, target, n_cond = card["shapes"]
    shapes = (tuple(shape), tuple(target), n_cond)
    arrays = {name: value for name, value in card["fitted"].items() if name in family.fitted.__annotations__}
    typed({name: value for name, value in card["fitted"].items() if name not in arrays}, Fitted, f"{where}.fitted")
    typed(arrays, family.fitted, f"{where}.fitted", {"row": shapes[0]})
    with refusing(f"{where} describes no model"):
        family.likelihood_ = as_part("likelihood", part_from_json(card["likelihood"]))
        problem = family.problem(shapes, family.likelihood_.build(shapes[1]))
        outline = sketch(lambda: family.build(problem))
        if outline is not None:
            _same_shapes(outline.state_dict(), tensors)
        model = family.build(problem).eval()
        _same_shapes(model.state_dict(), tensors)
        model.load_state_dict(tensors)
    family.model_, family.shapes_, family.history_ = model, shapes, card["history"]
    family.settings_ = family.get_params(deep=False)
    vars(family).update(card["fitted"])
    vars(family).update({name: np.asarray(value) for name, value in arrays.items()})
    if card["feature_names"] is not None:
        family.feature_names_in_ = np.asarray(card["feature_names"], dtype=object)
    return family


def _same_shapes(model: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
    """Refuse tensors that are not those of a model: other names, shapes, or kinds of numbers."""
    ours, theirs = (
        {k: (tuple(v.shape), v.is_floating_point()) for k, v in state.items()} for state in (model, tensors)
    )
    odd = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
    if odd:
        first = odd[0]
        in_model, in_file = ours.get(first, ("nothing",))[0], theirs.get(first, ("nothing",))[0]
        reason = f"{len(odd)} of {len(ours)} tensors differ; {first!r} is {in_file} where the model has {in_model}"
        raise ArtefactError(f"The weights do not fit the model ({reason})", "the files of one fit")


def _task(card: UseCard, family: Any, arrays: dict[str, Any], where: str) -> Any:
    task = _made(TASKS, card, "task", where)
    sizes = {"row": family.shapes_[0], "code": (family._n_features_out,)}
    typed(card["fitted"], task.fitted, f"{where}.fitted", sizes)
    task.estimator_ = family
    for name, axes in {**task.arrays, **{k: v for k, v in task.optional_arrays.items() if k in arrays}}.items():
        shape, wanted = tuple(arrays[name].shape) if name in arrays else (), Numbers(*axes).shape(sizes)
        if not _alike(shape, wanted):
            came = f"{WEIGHTS} holds {OF_TASK}{name} of shape {shape}" if name in arrays else f"{name} is missing"
            raise ArtefactError(came, f"shape {wanted} (-1: any)", "the files of one fit")
    with refusing(f"{where}.fitted does not fit the model"):
        task.adopt_state(card["fitted"] | {name: values.numpy() for name, values in arrays.items()})
    return task


def _alike(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether an array has the lengths that are wanted, -1 for any; pictures of one channel may lack its axis."""
    if not shape or len(shape) == len(wanted):
        return len(shape) == len(wanted) and all(n in (-1, m) for n, m in zip(wanted, shape, strict=True))
    return wanted[0] in (-1, shape[0]) and [n for n in shape[1:] if n != 1] == [n for n in wanted[1:] if n != 1]


@contextlib.contextmanager
def refusing(came: str) -> Iterator[None]:
    """Turn what goes wrong while values of a file are put together, each of a right type, into a refusal."""
    try:
        yield
    except ArtefactError:
        raise
    except InputError as error:
        raise ArtefactError(f"{came}: {error.came}", error.accepted, error.hint) from None
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise ArtefactError(f"{came} ({reason[0].strip()})", "the files of one fit") from None
