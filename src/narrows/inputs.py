"""What people pass as X, turned into rows that the models read; and back."""

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from narrows.errors import InputError

__all__ = ["checked_rows", "model_rows"]

_KEPT = ("uint8", "uint16")


def checked_rows(estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
    """Return ``X`` as an array or CSR matrix that scikit-learn accepts: 2-D or images, finite, as many features as fitted.

    uint8 and uint16 keep their type, float32 and float64 too, everything else becomes float64.
    """
    if isinstance(X, torch.Tensor):
        X = X.detach().cpu().numpy()
    kept = str(getattr(X, "dtype", "")) in _KEPT and not sp.issparse(X)
    dtype = None if kept else [np.float64, np.float32]
    return validate_data(estimator, X, reset=reset, dtype=dtype, accept_sparse="csr", allow_nd=True)


def model_rows(X: Any, image_shape: tuple[int, ...] | None, expected: tuple[int, ...] | None) -> Any:
    """Return rows in the model's own shape: (n, d), or (n, C, H, W) for images.

    Examples
    --------
    >>> model_rows(np.zeros((5, 28, 28)), None, None).shape
    (5, 1, 28, 28)
    """
    if sp.issparse(X):
        return X
    if X.ndim == 2 and image_shape is not None:
        if X.shape[1] != int(np.prod(image_shape)):
            raise InputError(f"Rows of {X.shape[1]} values do not fit image_shape={image_shape}", f"{int(np.prod(image_shape))} values")
        X = X.reshape(len(X), *image_shape)
    if X.ndim == 3:
        X = X[:, None]
    if X.ndim == 4 and X.shape[1] > 16 and X.shape[3] in (1, 3, 4):
        raise InputError(f"Images of shape {X.shape[1:]} seem to have their channels last", "(n, C, H, W)", "np.moveaxis(X, 3, 1)")
    if expected is not None and tuple(X.shape[1:]) != tuple(expected):
        raise InputError(f"Rows of shape {tuple(X.shape[1:])} came to a model fitted on rows of shape {tuple(expected)}", f"{tuple(expected)}")
    return X
