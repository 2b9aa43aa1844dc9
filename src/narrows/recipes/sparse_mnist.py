"""``sparse-mnist``: sparsity by a price on activity, by a target for it, and by keeping the largest units."""

from typing import Any

import numpy as np

from narrows.families.sparse import SparseAutoEncoder
from narrows.networks.dense import Dense
from narrows.recipes.base import PLAIN, recipe
from narrows.recipes.evidence import against_pca, image_errors, reconstructions
from narrows.recipes.run import Images, Run
from narrows.reporting import figures
from narrows.reporting.figures.style import number, percent
from narrows.tasks.reduce.reducer import Reducer

__all__ = ["sparse_mnist"]

_CODE_SIZE, _KEPT_UNITS, _ACTIVE_ABOVE = 256, 25, 0.1
_KIND_SETTINGS: dict[str, dict[str, Any]] = {
    "top-k": {"k": _KEPT_UNITS},
    "L1": {"k": 0, "penalties": "l1:0.1"},
    "KL": {"k": 0, "penalties": "kl_sparsity:1,0.05", "network": Dense((), (), code="sigmoid", output="sigmoid")},
    "no sparsity": {"k": 0},
}


@recipe("sparse-mnist", "sparse autoencoders: L1, KL to a target, top-k", source="004")
def sparse_mnist(run: Run) -> None:
    """Train one hidden layer in four ways, and show how many units work for an image, and what they look for."""
    images = run.images()
    base = {"latent_dim": _CODE_SIZE, "epochs": 20, "lr": 1e-3, **PLAIN}
    base["network"] = Dense((), (), code="relu", output="sigmoid")
    models = {}
    for name, settings in _KIND_SETTINGS.items():
        model = SparseAutoEncoder(**{**base, **settings})
        models[name] = run.fit(name.replace(" ", "-").lower(), model, images.train)
    codes = {name: model.transform(images.test) for name, model in models.items()}
    _compare(run, models, codes, images)
    figure = figures.activity(codes, threshold=_ACTIVE_ABOVE)
    run.figure("activity", "How many units work for an image", "Codes of the test images.", figure)
    for name, model in models.items():
        figure = figures.filters(model.model_.encoder.layers[0].weight.detach().numpy(), (28, 28))
        caption = "The encoder's weights of each unit, one picture each."
        run.figure(f"filters-{name.replace(' ', '-').lower()}", f"Filters, {name}", caption, figure)
    main = next(iter(models.values()))
    reconstructions(run, main, images)
    run.keep(Reducer(latent_dim=_CODE_SIZE), main, images.train[:100], next(iter(models)))


def _compare(run: Run, models: dict[str, Any], codes: dict[str, np.ndarray], images: Images) -> None:
    """Hold the four side by side, and the first against PCA with as many numbers as it keeps."""
    errors = {name: image_errors(model, images.test).mean() for name, model in models.items()}
    active = {name: np.abs(code) > _ACTIVE_ABOVE for name, code in codes.items()}
    main, *others = models
    against_pca(run, models[main], images, _KEPT_UNITS, f"PCA with {_KEPT_UNITS} numbers")
    run.metric("active", active[main].mean(), "units at work for an image", "share")
    for name in others:
        run.baseline(name, mse=errors[name], active=active[name].mean())
    run.note(
        f"The main model is {main}, which keeps {_KEPT_UNITS} of {_CODE_SIZE} numbers. A sparse code also has to say "
        "which units they belong to; PCA has no need to."
    )
    rows = [
        (name, _price(models[name]), number(errors[name]), percent(working.mean()), int((~working.any(0)).sum()))
        for name, working in active.items()
    ]
    columns = ("kind", "price", "mean squared error", f"units above {_ACTIVE_ABOVE}", "units never above it")
    run.table(
        "Side by side",
        f"{_CODE_SIZE} units in one hidden layer; {number(len(images.test))} test images.",
        columns,
        rows,
    )


def _price(model: Any) -> str:
    """Return what makes a model sparse, in the words of its settings."""
    return f"k={model.k}" if model.k else f"penalties={model.penalties}" if model.penalties else "none"
