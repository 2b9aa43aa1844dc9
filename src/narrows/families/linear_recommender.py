"""Linear autoencoders of a row's values from its other values, in closed form (Steck 2019, 2020)."""

from typing import Any, ClassVar, cast

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from narrows import moments
from narrows.bottlenecks import Free
from narrows.data.pairs import Pairs
from narrows.errors import InputError, Sentence, Setting
from narrows.estimator.base import Estimator, Problem
from narrows.estimator.closed_form import solvable, start_scale
from narrows.estimator.inputs import checked_rows
from narrows.likelihood import Gaussian
from narrows.likelihood.continuous import LearntGaussian
from narrows.model import Model
from narrows.networks import ItemItem, Network
from narrows.networks.item_item import Down, Up, ZeroDiagonal
from narrows.params import MOST_EPOCHS, param
from narrows.parts import as_part

__all__ = ["LinearRecommender"]

_MAX_COLUMNS = 50_000  # columns: their matrix has 10 GB, twice while it is solved for
_L2, _DROPOUT = 100.0, 0.5  # where nothing is set and nothing chooses
_FEW_ROWS = 1.5  # columns per row from which on a matrix of rows x rows is the cheaper one to invert
_LEAST_PENALTY = 1e-8  # share of a column's squares: below it the way by rows uses up the digits of a double


class LinearRecommender(Estimator):
    """Scores ``X @ B`` with the item-item matrix B of zero diagonal that reconstructs the rows best.

    ``dropout=0`` is EASE: B minimises ||X - XB||² + l2 ||B||² (Steck 2019, "Embarrassingly shallow autoencoders for
    sparse data", eq. 8). With dropout it is the denoising form: the loss is expected over inputs of which that share is
    hidden, which adds dropout / (1 - dropout) times the diagonal of XᵀX to the penalty (Steck 2020, "Autoencoders that
    don't overfit towards the identity", section 4). Both are solved exactly, without training, for up to 50 000
    columns. A ``latent_dim`` k replaces B by the product of d x k and k x d that is nearest in that
    cost (reduced-rank regression); its diagonal is near zero, not zero. A ``sample_weight`` of 2 is the row twice.

    Examples
    --------
    >>> X = np.array([[1.0, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 1, 1, 1]])
    >>> model = LinearRecommender(l2=1.0, dropout=0.0).fit(X)
    >>> model.reconstruct(np.eye(4)).diagonal().tolist()  # no item speaks for itself
    [0.0, 0.0, 0.0, 0.0]
    """

    search: ClassVar[dict[str, tuple[float, ...]]] = {  # what `Recommender` tries for settings that are none
        "l2": (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0),
        "dropout": (0.0, 0.25, 0.5, 0.75),
    }

    latent_dim: int | None = param(None, "rank of the item-item matrix; none: full", ge=1)  # type: ignore[assignment]
    l2: float | None = param(None, "penalty on squared weights; none: 100, or what a recommender chooses", gt=0)
    dropout: float | None = param(
        None, "share of the values hidden from the input; 0: EASE; none: 0.5, or what a recommender chooses", ge=0, lt=1
    )
    epochs: int | None = param(0, "passes over the rows after the closed form", ge=0, le=MOST_EPOCHS)

    def chosen_network(self, shape: tuple[int, ...]) -> Network:
        """Return the item-item network. Raises ``InputError`` where another one is set."""
        network = as_part("network", self.network)
        if not isinstance(network, ItemItem | None):
            came = Sentence(Setting("network", self.network), " is no item-item matrix")
            raise InputError(came, "None or 'item-item'", "leave it out, or family vae")
        return ItemItem()

    def build(self, problem: Problem) -> Model:
        """Return the matrix, or two of them around a free code.

        Raises ``InputError`` for a full matrix of too many columns.
        """
        size = int(np.prod(problem.shape))
        if self.latent_dim is None and size > _MAX_COLUMNS:
            hint = "fewer columns (the most frequent items), or family vae"
            raise InputError(
                f"A full matrix for {size:,} columns does not fit", f"at most {_MAX_COLUMNS:,} columns", hint
            )
        return problem.model(self.chosen_network(problem.shape), Free(self.latent_dim or size))

    def prepare(self, model: Model, pairs: Pairs) -> None:
        """Write the closed form into the weights, where there is one."""
        if solvable(self, model, pairs):
            write(model, pairs, *self._penalties())
            if isinstance(model.likelihood, LearntGaussian):
                start_scale(model, pairs)

    def _penalties(self) -> tuple[float, float]:
        return _L2 if self.l2 is None else self.l2, _DROPOUT if self.dropout is None else self.dropout

    def reconstruct(self, X: Any, y: Any = None) -> np.ndarray:
        """Return the scores ``X @ B``, (n, items); sparse rows are multiplied as they are."""
        encoder = self.model_.encoder if hasattr(self, "model_") else None
        squared = encoder is not None and isinstance(self.model_.likelihood, (Gaussian, LearntGaussian))
        if not (squared and isinstance(encoder, ZeroDiagonal) and sp.issparse(X)):
            return super().reconstruct(X, y)
        scores: np.ndarray = checked_rows(self, X, reset=False) @ encoder.matrix().numpy()
        return scores


def sparse_rows(pairs: Pairs) -> sp.csr_matrix | None:
    """Return the rows in float64, each times the root of its weight, where they are sparse; None where they are not."""
    rows, weight = pairs.columns[0], pairs.row_weight
    if not sp.issparse(rows) or pairs.transform is not None:
        return None
    rows = rows.astype(np.float64)
    return rows if weight is None else rows.multiply(weight.sqrt().numpy()[:, None]).tocsr()


def gram(pairs: Pairs) -> Tensor:
    """Return XᵀX in float64, (d, d): with weights w of the rows, Xᵀ diag(w) X."""
    rows = sparse_rows(pairs)
    if rows is not None:
        return torch.from_numpy((rows.T @ rows).toarray())
    size = int(np.prod(pairs.shapes[0]))
    total = torch.zeros(size, size, dtype=torch.float64)
    for batch in pairs.batches(4096):
        x = batch.x.flatten(1).double()
        total.addmm_(x.T, x if batch.weight is None else x * batch.weight[:, None])
    return total


def penalised(square: Tensor, l2: float, dropout: float) -> Tensor:
    """Return XᵀX + Λ, (d, d), in the place of XᵀX; Λ = l2 I + dropout / (1 - dropout) diag(XᵀX) (Steck 2020)."""
    square.diagonal().mul_(1 / (1 - dropout)).add_(l2)
    return square


def item_weights(inverse: Tensor) -> Tensor:
    """Return the best matrix B of zero diagonal, (d, d), from P, the inverse of XᵀX + Λ, which is overwritten.

    B[i, j] = -P[i, j] / P[j, j] (Steck 2019, eq. 8).

    Examples
    --------
    >>> item_weights(torch.tensor([[3.0, 1.0], [1.0, 3.0]]).inverse()).tolist()  # XᵀX [[2, 1], [1, 2]], l2 1
    [[0.0, 0.333...], [0.333..., 0.0]]
    """
    return inverse.div_(-inverse.diagonal().clone()).fill_diagonal_(0)


def inverse_of(matrix: Tensor, l2: float) -> Tensor:
    """Return the inverse of XᵀX + Λ, (d, d).

    Raises ``InputError`` where ``l2`` is too small to tell the columns apart.
    """
    try:
        return torch.cholesky_inverse(torch.linalg.cholesky(matrix))
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        came = Sentence(
            Setting("l2", l2), " is too small for these rows: columns that say the same cannot be told apart"
        )
        raise InputError(came, "a larger l2", Setting("l2", 100)) from None


def inverse_by_rows(rows: sp.csr_matrix, l2: float, dropout: float) -> Tensor | None:
    """Return the inverse of XᵀX + Λ, (d, d), by way of a matrix of rows x rows; None where that is not the better way.

    With Y = X Λ^(-1/2) it is Λ^(-1/2) (I - Yᵀ (I + YYᵀ)^(-1) Y) Λ^(-1/2) (Woodbury 1950). It is cheaper for few rows,
    and loses the digits of a column whose penalty is far below its squares.

    Examples
    --------
    >>> inverse_by_rows(sp.csr_matrix([[1.0, 0.0]]), 1.0, 0.0).diagonal().tolist()
    [0.5..., 1.0]
    """
    squares = np.asarray(rows.multiply(rows).sum(0)).ravel()
    if _FEW_ROWS * rows.shape[0] > rows.shape[1] or l2 < _LEAST_PENALTY * squares.max():
        return None
    root = 1 / np.sqrt(l2 + dropout / (1 - dropout) * squares)
    scaled = rows.multiply(root).tocsr()
    among = torch.from_numpy((scaled @ scaled.T).toarray())
    among.diagonal().add_(1)
    inverse = scaled.T @ (scaled.T @ inverse_of(among, l2).numpy()).T
    np.negative(inverse, out=inverse)
    inverse[np.diag_indices_from(inverse)] += 1
    inverse *= root
    inverse *= root[:, None]
    return torch.from_numpy(inverse)


@torch.no_grad()
def write(model: Model, pairs: Pairs, l2: float, dropout: float) -> None:
    """Write the closed form into the weights, as one matrix or as the best two around a shorter code."""
    if isinstance(model.encoder, ZeroDiagonal):
        rows = sparse_rows(pairs)
        inverse = None if rows is None else inverse_by_rows(rows, l2, dropout)
        if inverse is None:
            inverse = inverse_of(penalised(gram(pairs), l2, dropout), l2)
        model.encoder.weight.copy_(item_weights(inverse))
        return
    matrix = penalised(gram(pairs), l2, dropout)
    weights = item_weights(inverse_of(matrix, l2))
    down, up = cast("Down", model.encoder).matrix.weight, cast("Up", model.decoder).matrix.weight
    axes = torch.linalg.eigh(weights.T @ matrix @ weights).eigenvectors.flip(1)[:, : len(down)]
    axes = moments.upright(axes.T).T
    down.zero_(), up.zero_()
    down[: axes.shape[1]], up[:, : axes.shape[1]] = (weights @ axes).T, axes
