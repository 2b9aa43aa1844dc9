"""What people pass as X, turned into rows that the models read; and back."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from narrows.data.base import channels_last
from narrows.data.disk.stored import DiskArray
from narrows.data.masked import unmasked
from narrows.data.scale import unit
from narrows.data.tables.frames import is_frame
from narrows.errors import InputError, Sentence, Setting

__all__ = [
    "checked_classes",
    "checked_rows",
    "checked_weights",
    "dense",
    "flat",
    "known_labels",
    "label_text",
    "label_texts",
    "like_rows",
    "model_rows",
    "n_axes",
    "odd_scale",
    "present",
    "unit",
]

_FINE, _COARSE = 1e-3, 300.0  # deviations between which weights can be learnt
_WIDE, _UNEVEN = 10.0, 100.0  # a deviation of a column that is wide, and by how much beyond the median of all
_LEVEL_TYPES = {"uint8", "uint16"}
_NO_NUMBERS = {"str", "string", "category", "categorical", "enum", "date", "time"}  # types of columns of a frame


def checked_rows(estimator: BaseEstimator, X: Any, *, reset: bool, missing: bool = False) -> Any:
    """Return ``X`` as an array or CSR matrix that scikit-learn accepts: 2-D or images, finite, of the fitted size.

    uint8 and uint16 keep their type (sparse ones hold counts and do not, nor do columns of several types), float32 and
    float64 too, everything else becomes float64. To scikit-learn an image is a row of values, so that it counts them
    all. ``missing`` lets NaN pass. Raises ``InputError`` for images of another size.
    """
    if isinstance(X, DiskArray):
        return _checked_stored(estimator, X, reset=reset)
    if isinstance(X, torch.Tensor):
        X = X.detach().cpu()
        X = (X.float() if X.dtype in (torch.bfloat16, torch.float16) else X).numpy()
    X = np.asarray(X) if isinstance(X, (list, tuple)) else unmasked(X)
    types = _types(X)
    if is_frame(X):
        _require_numbers(X)
    levels = next(iter(types)) if len(types) == 1 and types <= _LEVEL_TYPES else None
    holes = missing or (hasattr(X, "isna") and bool(X.isna().to_numpy().any()))
    dtype = [np.float64, np.float32] if levels is None else None if holes else levels
    shape = X.shape if isinstance(X, np.ndarray) and X.ndim > 2 else None
    rules: dict[str, Any] = {"reset": reset, "dtype": dtype, "ensure_all_finite": "allow-nan" if missing else True}
    if shape is None:
        return validate_data(estimator, X, accept_sparse="csr", **rules)
    values, n_fitted = math.prod(shape[1:]), getattr(estimator, "n_features_in_", None)
    if not reset and n_fitted not in (None, values):
        raise InputError(
            f"Rows of shape {shape[1:]} came to a model fitted on rows of {n_fitted} values", f"{n_fitted} values"
        )
    return validate_data(estimator, X.reshape(shape[0], values), **rules).reshape(shape)


def _require_numbers(X: Any) -> None:
    """Refuse a frame with a column of texts or dates."""
    for name, dtype in zip(X.columns, X.dtypes, strict=True):
        if str(dtype).lower() in _NO_NUMBERS or str(dtype).lower().startswith(("datetime", "timedelta", "duration")):
            came = f"Column {str(name)!r} holds no numbers, but {dtype}"
            raise InputError(came, "columns of numbers", "make_pipeline(nw.Table(), ...) makes numbers of any table")


def _checked_stored(estimator: BaseEstimator, X: DiskArray, *, reset: bool) -> DiskArray:
    """Return rows on disk after one pass over them: finite, and of the fitted size."""
    values, n_fitted = math.prod(X.shape[1:]), getattr(estimator, "n_features_in_", None)
    if not reset and n_fitted not in (None, values):
        raise InputError(f"Rows of {values} values came to a model fitted on rows of {n_fitted}", f"{n_fitted} values")
    X.limits()
    if reset:
        estimator.n_features_in_ = values
        if hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
    return X


def checked_weights(weight: Any, rows: Any) -> np.ndarray:
    """Return one weight per row, finite, none negative and not all zero.

    Raises ``InputError`` where every weight is zero.

    Examples
    --------
    >>> checked_weights([2, 0], np.zeros((2, 3))).tolist()
    [2.0, 0.0]
    """
    weights: np.ndarray = _check_sample_weight(unmasked(weight), rows, dtype=np.float64, ensure_non_negative=True)
    if not weights.any():
        raise InputError("Every sample_weight is zero", "a weight above zero for some rows")
    return weights


def present(rows: Any, y: Any, weights: np.ndarray | None) -> tuple[Any, Any, np.ndarray | None]:
    """Return the rows that have a weight, with what belongs to each: one of weight zero is no row at all.

    Examples
    --------
    >>> present(np.array([[1.0], [2.0]]), ["a", "b"], np.array([0.0, 3.0]))
    (array([[2.]]), array(['b'], dtype='<U1'), array([3.]))
    """
    if weights is None or weights.all():
        return rows, y, weights
    kept = np.flatnonzero(weights)
    y = np.asarray(y)[kept] if np.ndim(y) and len(y) == len(weights) else y
    return rows.take(kept) if isinstance(rows, DiskArray) else rows[kept], y, weights[kept]


def model_rows(X: Any, image_shape: tuple[int, ...] | None, expected: tuple[int, ...] | None) -> Any:
    """Return rows in the model's own shape: (n, d), or (n, C, H, W) for images.

    Raises ``InputError`` for rows of another shape, and for images that seem to have their channels last.

    Examples
    --------
    >>> model_rows(np.zeros((5, 28, 28)), None, None).shape
    (5, 1, 28, 28)
    """
    if image_shape is not None and X.ndim == 2:
        size = math.prod(image_shape)
        if X.shape[1] != size:
            misfit = Sentence(f"Rows of {X.shape[1]} values do not fit ", Setting("image_shape", image_shape))
            raise InputError(misfit, f"{size} values")
        X = (X.toarray() if sp.issparse(X) else X).reshape(X.shape[0], *image_shape)
    if X.ndim == 3:
        X = X.reshape(X.shape[0], 1, *X.shape[1:])
    row = tuple(X.shape[1:])
    if channels_last(row) and row not in (tuple(image_shape or ()), tuple(expected or ())):
        came = f"Images of shape {row} seem to have their channels last"
        hint = Sentence("np.moveaxis(X, 3, 1), or ", Setting("image_shape", row), " where they are not")
        raise InputError(came, "(n, C, H, W)", hint)
    if expected is not None and row != tuple(expected):
        came = f"Rows of shape {row} came to a model fitted on rows of shape {tuple(expected)}"
        raise InputError(came, f"{tuple(expected)}")
    return X


def known_labels(y: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels of ``n`` rows, and which of them there are: None, NaN, NA and an empty text are none.

    Raises ``InputError`` where there are not ``n`` labels.

    Examples
    --------
    >>> known_labels(["a", "", "b"], 3)[1].tolist(), known_labels([1, None, 0], 3)[0].dtype.kind
    ([True, False, True], 'i')
    """
    y = y.astype(object) if isinstance(y, np.ma.MaskedArray) else y  # labels keep their type beside None
    labels = column_or_1d(np.asarray(unmasked(y)), warn=True)
    missing = np.zeros(len(labels), bool)
    if labels.dtype.kind in "OUf":
        missing = np.array([_absent(label) for label in labels.tolist()], bool)
        rest = labels[~missing] if labels.dtype.kind == "f" else np.asarray(labels[~missing].tolist())
        labels = np.zeros(len(labels), rest.dtype)
        labels[~missing] = rest
    assert_all_finite(labels, input_name="y")
    if len(labels) != n:
        raise InputError(f"{len(labels)} labels for {n} rows came", "one label per row")
    return labels, ~missing


def checked_classes(y: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what ``known_labels`` does, where the labels are classes that a model can keep.

    Raises ``InputError`` for labels of any other type, such as dates.

    Examples
    --------
    >>> checked_classes(np.array(["2026-01-01"], "datetime64[D]"), 1)
    Traceback (most recent call last):
    narrows.errors.InputError: Labels of type datetime64[D] came. Accepted: texts, whole numbers, or true and false. ...
    """
    labels, known = known_labels(y, n)
    if labels.dtype.kind not in "biufU":
        came = f"Labels of type {labels.dtype} came"
        raise InputError(came, "texts, whole numbers, or true and false", "y.astype(str)")
    if known.any():
        check_classification_targets(labels[known])
    return labels, known


def _absent(label: Any) -> bool:
    """Return whether a label is none; pandas' NA cannot be compared, but is written so."""
    return label is None or str(label) in ("", "<NA>") or bool(label != label)


def label_text(label: Any) -> str:
    """Return a label as a text that is the same for 1 and 1.0.

    Examples
    --------
    >>> label_text(np.float32(1)), label_text(1), label_text("1.0"), label_text(True)
    ('1', '1', '1.0', 'True')
    """
    plain = label.item() if isinstance(label, (np.number, np.bool_)) else label
    return str(int(plain)) if isinstance(plain, float) and plain.is_integer() else str(plain)


def label_texts(y: Any, n: int) -> np.ndarray:
    """Return the labels of ``n`` rows as texts, "" where there is none.

    Examples
    --------
    >>> label_texts([1.0, float("nan"), 0.0], 3).tolist()
    ['1', '', '0']
    """
    labels, known = known_labels(y, n)
    return np.array([label_text(label) if is_known else "" for label, is_known in zip(labels, known, strict=True)], str)


def like_rows(values: np.ndarray, axes: int | None) -> np.ndarray:
    """Return results in the shape of the rows that came: ``axes`` is the number of axes that those have.

    Examples
    --------
    >>> like_rows(np.zeros((5, 1, 28, 28)), 3).shape, like_rows(np.zeros((5, 1, 28, 28)), 2).shape
    ((5, 28, 28), (5, 784))
    """
    if axes == 2:
        return values.reshape(len(values), -1)
    return values[:, 0] if axes == 3 and values.ndim == 4 and values.shape[1] == 1 else values


def n_axes(X: Any) -> int:
    """Return the number of axes of rows in any form."""
    return int(X.ndim) if hasattr(X, "ndim") else np.asarray(X).ndim


def _types(X: Any) -> set[str]:
    """Return the types of the values of an array or a frame; empty types mean that they must become floats."""
    if sp.issparse(X):
        return {"sparse"}
    columns = getattr(X, "dtypes", None)
    dtypes = columns if isinstance(columns, Iterable) else [getattr(X, "dtype", None)]
    return {str(dtype).lower() for dtype in dtypes}


def odd_scale(spread: float, target: torch.Tensor) -> str:
    """Return why values that deviate so much around their mean row are hard to learn; nothing where they are not.

    Examples
    --------
    >>> odd_scale(90.0, torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 900.0]]))
    'The columns deviate by 0.5 to 450, and the widest decide what is learnt'
    >>> odd_scale(1.0, torch.eye(3))
    ''
    """
    if not _FINE <= spread <= _COARSE:
        return f"The values deviate by {spread:.2g} around their mean row; weights are learnt best near 1"
    deviations = target.double().std(0, correction=0) if target.ndim == 2 else torch.zeros(1)
    deviations = deviations[deviations > 0]
    widest = float(deviations.max()) if len(deviations) else 0.0
    if widest < _WIDE or widest < _UNEVEN * float(deviations.median()):
        return ""
    return f"The columns deviate by {deviations.min():.2g} to {widest:.3g}, and the widest decide what is learnt"


def dense(X: Any) -> np.ndarray:
    """Return rows in any form as an array.

    Examples
    --------
    >>> dense(sp.csr_matrix([[0.0, 2.0]])).tolist()
    [[0.0, 2.0]]
    """
    rows: np.ndarray = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
    return rows


def flat(X: Any) -> np.ndarray:
    """Return rows in any form as an array (n, d).

    Examples
    --------
    >>> flat(np.zeros((3, 2, 2))).shape
    (3, 4)
    """
    rows = dense(X)
    return rows.reshape(len(rows), -1)
