"""Rows as draws from one Gaussian: what hidden values are expected to be, given those that are known."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

__all__ = ["Gaussian"]

_STEPS, _MIN_CHANGE = 20, 1e-2  # of the fit at most; the change of a covariance, of unit variances, at which it ends
_SHRINKAGE = 0.1  # of the columns per row: how far the covariance is drawn to its diagonal
_JITTER = 1e-6  # of a variance
_WIDEST = 80  # columns; of more each is told by its mean alone
_PRODUCTS = 2e9  # of a step: of more rows some are taken
_ROWS, _FEWEST = 256, 200  # rows at once; rows that are always taken


class Gaussian(NamedTuple):
    """A mean (d,) and a covariance (d, d), in double precision; (0, 0): columns say nothing of each other."""

    mean: Tensor
    covariance: Tensor

    @classmethod
    def fit(cls, rows: Tensor, known: Tensor) -> Self:
        """Return the likeliest Gaussian of rows (n, d), of which only what is ``known`` (n, d) counts.

        By expectation and maximisation (Little and Rubin 2002, section 8.2), drawn a little towards columns that say
        nothing of each other.

        Examples
        --------
        >>> rows = torch.arange(20.0)[:, None].repeat(1, 2)
        >>> known = torch.ones_like(rows, dtype=torch.bool)
        >>> known[3, 1] = False
        >>> Gaussian.fit(rows, known).expected(torch.tensor([[10.0, 0.0]]), known[3:4]).round(decimals=1).tolist()
        [[10.0, 10.0]]
        """
        rows, known, d = rows.double(), known.bool(), rows.shape[1]
        most = max(_FEWEST, int(_PRODUCTS / d**3))
        if len(rows) > most:
            places = torch.linspace(0, len(rows) - 1, most).long()
            rows, known = rows[places], known[places]
        counts = known.sum(0).clamp_min(1)
        mean = torch.where(known, rows, 0.0).sum(0) / counts
        variance = torch.where(known, (rows - mean).square(), 0.0).sum(0) / counts
        scale = variance.sqrt().clamp_min(1e-9)
        if d > _WIDEST:
            return cls.of_mean(mean)
        rows = (rows - mean) / scale
        share = min(0.5, _SHRINKAGE * d / len(rows))
        gaussian = cls(torch.zeros(d).double(), torch.eye(d).double())
        for _ in range(_STEPS):
            step = gaussian._stepped(rows, known, share)
            change = float((step.covariance - gaussian.covariance).abs().max())
            gaussian = step
            if change < _MIN_CHANGE:
                break
        return cls(mean + scale * gaussian.mean, gaussian.covariance * scale[:, None] * scale)

    @classmethod
    def of_mean(cls, mean: Tensor) -> Self:
        """Return the Gaussian of a mean (d,) that tells no column from the others."""
        return cls(mean.double(), torch.zeros(0, 0, dtype=torch.float64))

    def expected(self, rows: Tensor, known: Tensor) -> Tensor:
        """Return rows (n, d) in which what is not ``known`` is what it is expected to be."""
        parts = [
            self._expected(*part) for part in zip(torch.split(rows, _ROWS), torch.split(known, _ROWS), strict=True)
        ]
        return torch.cat(parts)

    def _expected(self, rows: Tensor, known: Tensor) -> Tensor:
        if not self.covariance.numel():
            return torch.where(known, rows, self.mean.to(rows))
        there = known.to(self.mean)
        gaps = torch.where(there > 0, rows.to(self.mean) - self.mean, 0.0)
        weights = torch.cholesky_solve(gaps[:, :, None], self._roots(there))[:, :, 0]
        return torch.where(known, rows, (self.mean + weights @ self.covariance).to(rows))

    def _stepped(self, rows: Tensor, known: Tensor, share: float) -> Self:
        """Return the Gaussian after one step, its covariance drawn by a ``share`` towards its diagonal."""
        whole, left = [], torch.zeros_like(self.covariance)
        for part, there in zip(torch.split(rows, _ROWS), torch.split(known.to(self.mean), _ROWS), strict=True):
            whole.append(self._expected(part, there > 0))
            explaining = self.covariance * there[:, :, None]
            rest = self.covariance - explaining.mT @ torch.cholesky_solve(explaining, self._roots(there))
            left += (rest * (1 - there)[:, :, None] * (1 - there)[:, None]).sum(0)
        filled = torch.cat(whole)
        mean = filled.mean(0)
        covariance = ((filled - mean).T @ (filled - mean) + left) / len(filled)
        diagonal = covariance.diagonal().clone()
        covariance *= 1 - share
        covariance.diagonal().copy_(diagonal + _JITTER)
        return type(self)(mean, covariance)

    def _roots(self, there: Tensor) -> Tensor:
        """Return Cholesky factors (n, d, d) of the covariance of what is there; of the rest the identity."""
        joint = self.covariance * there[:, :, None] * there[:, None]
        joint.diagonal(dim1=1, dim2=2).add_(1 - there)
        roots: Tensor = torch.linalg.cholesky(joint)
        return roots
