"""Contractive autoencoder (Rifai et al. 2011) and its stochastic form."""

from typing import ClassVar, Literal

from narrows.bottlenecks import Free
from narrows.errors import Sentence, Setting
from narrows.estimator.base import Estimator, Problem
from narrows.model import Model
from narrows.params import param
from narrows.penalties import Contractive

__all__ = ["ContractiveAutoEncoder"]


class ContractiveAutoEncoder(Estimator):
    """Pays for every move of the code when the input moves, so that only what varies in the data is encoded.

    ``method="noise"`` is the stochastic contractive autoencoder: instead of the Jacobian, finite perturbations of size
    ``std`` are to land on the same code. The price counts what the code itself does; ``of="reconstruction"`` counts
    what comes out (Alain & Bengio 2014), which no larger decoder can undo.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16
    >>> model = ContractiveAutoEncoder(latent_dim=8, contraction=0.1, epochs=3, random_state=0).fit(X)
    >>> sorted(model.history_[-1]["train"])
    ['contractive', 'reconstruction']
    """

    rows_network: ClassVar[str] = "dense:code=tanh"

    latent_dim: int = param(64, "numbers in the code", ge=1)
    contraction: float = param(0.1, "nats per unit of squared Jacobian norm", ge=0)
    method: Literal["probe", "exact", "noise"] = param("probe", "how the norm is measured")
    std: float = param(0.1, "size of the perturbations of method='noise'", gt=0)
    of: Literal["code", "reconstruction"] = param("code", "what is to stay in its place")

    def unused(self) -> dict[str, str]:
        """Return the settings that change nothing; the size of perturbations where there are none."""
        unused = (
            {}
            if self.method == "noise"
            else {"std": Sentence("only ", Setting("method", "noise"), f" perturbs, and this is {self.method!r}")}
        )
        return super().unused() | unused

    def build(self, problem: Problem) -> Model:
        """Return network, free code, likelihood, with the contractive penalty first."""
        price = Contractive(self.contraction, self.method, self.std, self.of)
        priced = problem._replace(penalties=(price, *problem.penalties))
        return priced.model(self.chosen_network(problem.shape), Free(self.latent_dim))
