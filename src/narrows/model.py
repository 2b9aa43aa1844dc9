"""The one model of the package: six slots, no subclasses."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from narrows.bottlenecks import Bottleneck, Code
from narrows.corruption import Corruption
from narrows.data.pairs import Batch
from narrows.likelihood import LikelihoodModule

__all__ = ["Maps", "Model", "Step"]

Maps = tuple[Tensor, ...]


class Step(NamedTuple):
    """Everything one forward pass produced, for the penalties to read."""

    x: Tensor  # what the encoder saw
    cond: Tensor | None
    code: Code
    params: Tensor  # the decoder's numbers
    target: Tensor
    row_weight: Tensor | None = None  # how often every row counts, (B,): for penalties that belong to a batch


def attach(x: Tensor, cond: Tensor | None) -> Tensor:
    """Append the condition (B, n_cond) to the features of every position of ``x`` (B, C, *spatial)."""
    if cond is None:
        return x
    maps = cond.to(x.dtype).reshape(*cond.shape, *[1] * (x.ndim - 2)).expand(-1, -1, *x.shape[2:])
    return torch.cat([x, maps], 1)


def _single(values: Tensor) -> Tensor:
    """Return values in single precision at least: terms of the loss are sums over many, under autocast too."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _weighted(terms: dict[str, Tensor], weight: Tensor | None) -> dict[str, Tensor]:
    """Multiply the terms of every row with the weight of the row, (B,), where there is one."""
    return terms if weight is None or weight.ndim > 1 else {name: term * weight for name, term in terms.items()}


def _name(penalty: "Callable[[Model, Step], Tensor]") -> str:
    return str(getattr(penalty, "name", "") or getattr(penalty, "__name__", type(penalty).__name__))


@final
class Model(nn.Module):
    """encoder, bottleneck, decoder, likelihood, corruption, penalties.

    loss(row) = -log p(target | params) + cost of the code + penalties, in nats per row; every term is weighted where it
    is defined, so that the terms add up to the loss.

    Examples
    --------
    >>> from narrows.bottlenecks import Free
    >>> from narrows.likelihood import Gaussian
    >>> from narrows.networks import Dense, Sizes
    >>> encoder, decoder = Dense((8,)).build(Sizes((4,), (4,), code_in=2, code_out=2, out=4))
    >>> model = Model(encoder, Free(2), decoder, Gaussian())
    >>> x = torch.rand(5, 4)
    >>> sorted(model(Batch(x, x))), model.reconstruct(x).shape
    (['reconstruction'], torch.Size([5, 4]))
    """

    def __init__(
        self,
        encoder: nn.Module,
        bottleneck: Bottleneck,
        decoder: nn.Module,
        likelihood: LikelihoodModule,
        *,
        corruption: Corruption | Callable[[Tensor], Tensor] | None = None,
        penalties: "Sequence[Callable[[Model, Step], Tensor]]" = (),
    ):
        super().__init__()
        self.encoder, self.bottleneck, self.decoder, self.likelihood = encoder, bottleneck, decoder, likelihood
        self.corruption, self.penalties = corruption, tuple(penalties)
        self.critics = nn.ModuleList(penalty for penalty in penalties if isinstance(penalty, nn.Module))

    def features(self, x: Tensor, cond: Tensor | None = None) -> Tensor:
        """Return the encoder's last output for ``x`` (B, C, *spatial), before the bottleneck: (B, n_in, *spatial)."""
        deepest: Tensor = self.encoder(attach(x, cond))[-1]
        return deepest

    def encode(self, x: Tensor, cond: Tensor | None = None, progress: float = 1.0) -> tuple[Code, Maps]:
        """Return the code of ``x`` (B, C, *spatial) and the maps that the decoder also reads."""
        *skips, h = self.encoder(attach(x, cond))
        code: Code = self.bottleneck(_single(h), progress)
        return code, tuple(skips)

    def decode(self, z: Tensor, skips: Maps = (), cond: Tensor | None = None) -> Tensor:
        """Return the likelihood's parameters (B, n_out, *spatial) for codes ``z`` (B, n_code, *spatial)."""
        params: Tensor = self.decoder(attach(z, cond), skips)
        return params

    def reconstruct(self, x: Tensor, cond: Tensor | None = None) -> Tensor:
        """Return the expected target of ``x`` (B, C, *spatial), in the target's shape."""
        code, skips = self.encode(x, cond)
        return self.likelihood.mean(self.decode(code.z, skips, cond))

    def forward(self, batch: Batch, progress: float = 1.0) -> dict[str, Tensor]:
        """Return the terms of the training loss of every row, ``{name: (B,)}``; the loss is their sum."""
        return self._penalized(batch, progress)[1]

    def terms_and_errors(self, batch: Batch, progress: float = 1.0) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return what ``forward`` does and, from the same pass, the errors of every row: no part of the loss.

        ``{name: (B,)}``: what the likelihood says is its natural error, in the unit of reports; none where it has none.
        """
        step, terms = self._penalized(batch, progress)
        name = self.likelihood.error_name
        with torch.no_grad():
            errors = {name: self.likelihood.error(step.params, step.target, batch.values)} if name else {}
        return terms, _weighted(errors, batch.weight)

    def _penalized(self, batch: Batch, progress: float) -> tuple[Step, dict[str, Tensor]]:
        x = batch.x if self.corruption is None else self.corruption(batch.x)
        step, terms = self._step(batch._replace(x=x), progress)
        for penalty in self.penalties:
            name, cost = _name(penalty), penalty(self, step)
            terms[name] = terms[name] + cost if name in terms else cost
        return step, _weighted(terms, batch.weight)

    def nll(self, batch: Batch) -> Tensor:
        """Return the loss of every row, (B,), without corruption and penalties: what a row costs once trained."""
        _, terms = self._step(batch, 1.0)
        return torch.stack(list(_weighted(terms, batch.weight).values())).sum(0)

    @property
    def incomparable(self) -> set[str]:
        """The names of the terms that are not comparable between epochs."""
        names = {_name(penalty) for penalty in self.penalties if not getattr(penalty, "comparable", True)}
        return names if self.bottleneck.comparable else {*names, self.bottleneck.term}

    def comparable_loss(self, terms: dict[str, float]) -> float:
        """Return the sum of the terms that are comparable between epochs."""
        incomparable = self.incomparable
        return sum(value for name, value in terms.items() if name not in incomparable)

    def _step(self, batch: Batch, progress: float) -> tuple[Step, dict[str, Tensor]]:
        self.bottleneck.weigh(batch.row_weight)
        code, skips = self.encode(batch.x, batch.cond, progress)
        params = _single(self.decode(code.z, skips, batch.cond))
        terms = {"reconstruction": self.likelihood.nll(params, batch.target, batch.values)}
        if self.bottleneck.term:
            terms[self.bottleneck.term] = code.cost
        return Step(batch.x, batch.cond, code, params, batch.target, batch.row_weight), terms


def sketch(build: Callable[[], Model]) -> Model | None:
    """Return the model that ``build`` makes without its weights, which takes no memory: names, shapes and types only.

    None where a part of it reads numbers while it is built, so that it has no such form.

    Examples
    --------
    >>> from narrows.bottlenecks import Free
    >>> from narrows.likelihood import Gaussian
    >>> large = sketch(lambda: Model(torch.nn.Linear(64, 10**9), Free(10**9), torch.nn.Linear(10**9, 64), Gaussian()))
    >>> sum(weight.numel() for weight in large.parameters())
    129000000064
    """
    with torch.device("meta"):
        try:
            return build()
        except RuntimeError:
            return None
