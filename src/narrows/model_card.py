"""What ``model.json`` holds: its entries and their types, its digest, and how it is read with a check."""

import hashlib
import json
import math
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

from narrows._version import __version__
from narrows.errors import ArtefactError, InputError
from narrows.files import content
from narrows.old_thresholds import separated
from narrows.params import fits
from narrows.typed_json import Natural, Range, Scalar, parsed, typed

__all__ = ["CARD", "FORMAT", "WEIGHTS", "Card", "Entry", "Fitted", "digest", "file_bytes", "json_values", "read_card"]

FORMAT = 2  # 1 named parts by their module (old_addresses)
CARD, WEIGHTS = "model.json", "model.safetensors"
LONGEST = 2**29  # bytes of a card; one of a million users has a tenth of that
_NOT_FINITE = "not finite"  # marks a number that JSON does not have

Length = Annotated[int, Range(1, 2**31)]
Terms = dict[str, Scalar]
Entry = dict[str, Scalar | Terms | dict[str, Terms] | None]  # an epoch: numbers, terms of the loss, errors by part


class Fitted(TypedDict):
    """What every fitted family keeps."""

    n_features_in_: NotRequired[Natural]
    _n_features_out: Length
    rows_axes_: NotRequired[Annotated[int, Range(1, 5)]]
    seed_: Natural
    n_epochs_: Natural
    best_epoch_: Natural
    stopped_: str
    finished_: bool
    messages_: list[str]
    input_scale_: NotRequired[tuple[float, float, bool, float] | None]  # low, high, levels of grey, noise


class WeightsCard(TypedDict):
    """Which file holds the weights."""

    file: str
    bytes: Natural
    sha256: str


class UseCard(TypedDict):
    """A task: its settings and what its fit learnt."""

    name: str
    params: dict[str, Any]
    fitted: dict[str, Any]


class FamilyCard(UseCard):
    """A family: also the shapes of the rows, and what the decoder's numbers mean."""

    shapes: tuple[tuple[Length, ...], tuple[Length, ...], Annotated[int, Range(0, 2**31)]]
    likelihood: dict[str, Any]
    feature_names: list[str] | None
    history: list[Entry]


class Card(TypedDict):
    """What ``model.json`` holds; workflows add what they must know."""

    format: str
    version: Natural
    narrows: str
    task: UseCard | None
    family: FamilyCard
    weights: WeightsCard
    digest: str


def read_card(folder: "str | Path") -> dict[str, Any]:
    """Return the checked content of ``model.json``.

    Raises ``ArtefactError`` where it is missing, foreign, newer or altered.
    """
    path = Path(folder) / CARD
    accepted = "a folder that `narrows fit` or .save() wrote"
    text = file_bytes(path, LONGEST)
    try:
        card: dict[str, Any] = parsed(text)
        ours = card.get("format") == "narrows" and fits(card.get("version"), int)
    except (ValueError, AttributeError):
        raise ArtefactError(f"{path} is truncated or no JSON", accepted) from None
    if not ours:
        raise ArtefactError(f"{path} was not written by Narrows", accepted)
    if card["version"] > FORMAT:
        came = f"{path} is of format {card['version']}, newer than this Narrows ({__version__}) reads"
        raise ArtefactError(came, f"format {FORMAT}", "pip install -U narrows")
    if card.get("digest") != digest(card):
        raise ArtefactError(f"{path} was altered (its digest does not fit)", "the file as it was written")
    checked: dict[str, Any] = revived(card)
    known = Card.__required_keys__
    typed({key: value for key, value in checked.items() if key in known}, Card, str(path))  # the rest is the caller's
    return separated(checked)


def digest(card: dict[str, Any]) -> str:
    """Return the checksum of a card without its own ``digest``."""
    content = {key: value for key, value in card.items() if key != "digest"}
    return hashlib.sha256(
        json.dumps(content, sort_keys=True, ensure_ascii=False).encode(errors="backslashreplace")
    ).hexdigest()


def json_values(value: Any) -> Any:
    """Return a value as JSON has it: lists, texts, numbers; one that is not finite is marked, for `revived`.

    Examples
    --------
    >>> json_values({"a": (1, float("nan")), 2: True})
    {'a': [1, {'not finite': 'nan'}], '2': True}
    """
    if isinstance(value, dict):
        return {str(key): json_values(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_values(entry) for entry in value]
    if hasattr(value, "tolist"):  # numpy's numbers and arrays, tensors
        return json_values(value.tolist())
    return {_NOT_FINITE: str(value)} if isinstance(value, float) and not math.isfinite(value) else value


def revived(value: Any) -> Any:
    """Return what ``json_values`` was given, in lists and dicts.

    Examples
    --------
    >>> revived(json_values({"a": (1, float("-inf"))}))
    {'a': [1, -inf]}
    """
    if isinstance(value, dict):
        if value.keys() == {_NOT_FINITE} and value[_NOT_FINITE] in ("nan", "inf", "-inf"):
            return float(value[_NOT_FINITE])
        return {key: revived(entry) for key, entry in value.items()}
    return [revived(entry) for entry in value] if isinstance(value, list) else value


def file_bytes(path: Path, most: int) -> bytes:
    """Return what stands in a file of the artefact; raises ``ArtefactError`` where that cannot be read."""
    try:
        return content(path, most)
    except FileNotFoundError:
        raise ArtefactError(f"{path.parent} holds no {path.name}", f"a folder with {CARD} and {WEIGHTS}") from None
    except InputError as error:
        raise ArtefactError(error.came, error.accepted, error.hint) from None
