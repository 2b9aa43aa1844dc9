"""Ratings: a file with a user and an item per line, and lists of recommended items from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NotRequired, TypedDict

import numpy as np

from narrows.data.base import digest
from narrows.data.ratings.catalogue import Catalogue
from narrows.data.ratings.read import Ratings, Reading, read_ratings
from narrows.data.ratings.titles import read_titles
from narrows.data.tables.formatting import write_csv
from narrows.errors import InputError
from narrows.files import whole
from narrows.holdout import USERS, Parts
from narrows.params import param
from narrows.tasks.base import Rows, Task
from narrows.training.random import seed_of
from narrows.typed_json import Distinct
from narrows.workflows.base import Evaluated, Request, Say, Workflow
from narrows.workflows.outputs import write_table

__all__ = ["RatingsWorkflow"]

_TYPICAL_USER_SHARE = 0.95  # of the users; where fewer are like those held out, the report says so
_MIN_USER_ITEMS = 5  # items of a user that is held out, if there are enough such users
_COUNT_SETTINGS = {  # of Mult-VAE and Mult-DAE, section 4 of their paper
    **{"likelihood": "multinomial", "corruption": "mask:0.5", "noise": "mask:0.5", "beta": 0.2},
    **{"network": "dense:600,activation=tanh", "latent_dim": 200, "lr": 1e-3},
}


@dataclass(frozen=True)
class FittedRatings:
    """A fitted task, the ratings it came from, and which users it is measured on."""

    task: Any
    ratings: Ratings
    catalogue: Catalogue
    train: Rows
    test: Rows


class RatingsState(TypedDict):
    """What a run keeps of how its data was read."""

    users: NotRequired[list[str]]
    items: Annotated[list[str], Distinct()]
    columns: dict[Literal["user", "item", "rating", "time"], str | None]
    threshold: float | None
    kind: NotRequired[Literal["liking", "amount"]]
    titles: NotRequired[list[str]]


class RatingsWorkflow(Workflow):
    """A table of ratings (csv, dat with ::, inter, xlsx, json, SQLite, parquet, ...) of users and items."""

    keeps: ClassVar[Any] = RatingsState
    knows: ClassVar[tuple[str, ...]] = ("history", "titles")

    user: str | None = param(None, "column of the users; none: guessed")
    item: str | None = param(None, "column of the items; none: guessed")
    rating: str | None = param(None, "column of the ratings; none: guessed, if there is one")
    time: str | None = param(None, "column of the times, for which of two ratings is the last; none: guessed")
    min_rating: float | None = param(
        None, "ratings from this on count as liked; none: three quarters of the way to the highest; of amounts, all"
    )
    rating_kind: Literal["liking", "amount"] | None = param(
        None, "how much an item is liked, or an amount of it (hours, pieces), which is summed; none: guessed"
    )
    implicit: bool = param(False, "every line counts as liked, whatever its rating")
    titles: str | None = param(None, "table of the items and their titles, which lists name and histories may hold")
    encoding: str | None = param(None, "encoding of a text file that is not UTF-8: cp949, shift_jis, gbk, cp1251, ...")

    def fit(self, task: Task, request: Request, say: Say) -> dict[str, Any]:
        """Read the ratings, put some users aside, and fit to the others; raises InputError where they are too few."""
        if request.second is not None:
            hint = "one file of ratings" if Path(request.second).exists() else f"narrows fit {task.name} DATA -o RUN"
            raise InputError(f"{request.second!r} came beside {request.data!r}: one word too many", "one DATA", hint)
        if self.implicit and self.min_rating is not None:
            raise InputError("--implicit and --min-rating came together", "one of them", "leave one out")
        if self.implicit:
            request.refuse(dict.fromkeys(("rating", "rating_kind"), "with --implicit every line counts as liked"))
        ratings = read_ratings(request.data, self._reading())
        if min(ratings.liked.shape) < 2:
            came = f"{request.data} holds {ratings.liked.shape[0]} users and {ratings.liked.shape[1]} liked items"
            lower = "more ratings, or a lower --min-rating" if ratings.threshold is not None else "more lines"
            raise InputError(f"{came} ({ratings.reading})", "at least 2 of both", lower)
        titles, named = titles_of(self.titles, ratings.items.tolist())
        catalogue = Catalogue(ratings.items.tolist(), titles)
        notes = [*ratings.notes, *named, *for_counts(task, request.given)]
        for note in notes:
            say(note)
        parts = split(ratings.liked, seed_of(task.random_state))
        users, items = ratings.liked.shape
        say(f"{task.name}: {len(parts.learn):,} users, {items:,} items from {request.data}")
        names = tuple(map(catalogue.title, ratings.items))
        train, test = (Rows(ratings.liked[rows], feature_names=names) for rows in parts[:2])
        task.fit(train.X)
        self.learnt = FittedRatings(task, ratings, catalogue, train, test._replace(split=parts.split))
        new = int(np.count_nonzero(np.asarray(train.X.sum(0)).ravel() == 0))
        notes += [f"{new:,} item{'s' * (new > 1)} of held-out users only: not recommended"] if new else []
        notes += told_held(ratings.liked, parts.measure) if parts.n_held else []
        return {
            "name": Path(request.data).name,
            "rows": users,
            "used": len(parts.learn),
            "held_out": parts.n_held,
            "unit": "user",
            "items": items,
            "lines of the file": ratings.lines,
            "of these liked": ratings.liked.nnz,
            "fingerprint": digest(ratings.liked.indptr, ratings.liked.indices, *ratings.users, *ratings.items)[:16],
            "notes": notes,
            "split": f"{parts.split} users'",
        }

    def evaluate(self) -> Evaluated:
        """Measure on the users that were put aside."""
        return Evaluated(self.learnt.task.evaluate(self.learnt.train, self.learnt.test), None)

    def write(self, folder: Path) -> list[Path]:
        """Write recommendations for all users."""
        return [write_recs(self.learnt.task, self.learnt.ratings, self.learnt.catalogue, folder / "recs.csv")]

    def state(self) -> dict[str, Any]:
        """Return the users, the items and their titles, the columns, and from which rating on a line counts."""
        ratings, catalogue = self.learnt.ratings, self.learnt.catalogue
        return {
            "users": ratings.users,
            "items": ratings.items,
            "columns": dict(ratings.columns),
            "threshold": ratings.threshold,
            "kind": ratings.kind,
            **({"titles": list(catalogue.titles.values())} if catalogue.named else {}),
        }

    def apply(self, task: Task, state: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write recommendations for the users of a history; they need not have been there at the fit.

        Raises InputError where no item of the history was there at the fit.
        """
        titles, named = titles_of(request.given.get("titles"), state["items"])
        if titles is not None:
            state = {**state, "titles": titles}
        history = request.given.get("history") or request.data
        ratings = read_ratings(history, self._reading(), state)
        catalogue = Catalogue(state["items"], state.get("titles"))
        users, liked = ratings.liked.shape[0], ratings.liked.nnz
        for note in (
            *named,
            *ratings.notes,
            f"{users:,} user{'s' * (users > 1)} with {liked:,} known items that are liked",
        ):
            say(note)
        new = newcomers(ratings, state.get("users"))
        for note in told_new(ratings, new):
            say(note)
        recs = write_recs(task, ratings, catalogue, out / "recs.csv")
        return [recs, write_users(task, ratings, new, out / "users.csv")]

    def _reading(self) -> Reading:
        columns = {"user": self.user, "item": self.item, "rating": self.rating, "time": self.time}
        return Reading(columns, self.min_rating, self.implicit, self.rating_kind, self.encoding)


def titles_of(file: str | None, items: Sequence[str]) -> tuple[list[str] | None, list[str]]:
    """Return the titles of the items from a file, and what there is to say; nothing without a file."""
    if file is None:
        return None, []
    titles, note = read_titles(file, items)
    return titles, [note]


def for_counts(task: Task, given: Mapping[str, Any]) -> list[str]:
    """Set up an autoencoder that trains for counts, as Liang et al. (2018) do, where the user said nothing."""
    model = task.resolve()
    if type(model)().epochs == 0:  # a closed form, whatever is trained after it
        return []
    names = [name for name in _COUNT_SETTINGS if hasattr(model, name) and name not in given]
    names = [name for name in names if not (name == "corruption" and hasattr(model, "noise"))]
    task.set_params(estimator=model.set_params(**{name: _COUNT_SETTINGS[name] for name in names}))
    return (
        ["set for interactions: " + ", ".join(f"{name} = {_COUNT_SETTINGS[name]}" for name in names)] if names else []
    )


def split(liked: Any, seed: int) -> Parts:
    """Return the users to learn from and those to measure on, who have a few items, where enough users have."""
    counts = np.diff(liked.indptr)
    active = np.flatnonzero(counts)
    able = np.flatnonzero(counts[active] >= _MIN_USER_ITEMS)
    able = able if len(able) >= 2 * USERS.enough else np.flatnonzero(counts[active] > 1)
    parts = USERS.rows(len(active), seed, among=able)
    return parts._replace(learn=active[parts.learn], measure=active[parts.measure])


def told_held(liked: Any, held: np.ndarray) -> list[str]:
    """Say that users who are measured on have more items than others, where they have.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> told_held(sp.csr_matrix([[1, 1, 1], [1, 1, 1], [1, 0, 0], [0, 1, 0]]), np.array([0]))
    ['held-out users have 3 items or more, as 50 % of all users have: the verdict is about users like these']
    """
    counts = np.diff(liked.indptr)
    least = int(counts[held].min())
    share = float((counts[counts > 0] >= least).mean())
    sentence = f"held-out users have {least} items or more, as {100 * share:.0f} % of all users have"
    return [f"{sentence}: the verdict is about users like these"] if share < _TYPICAL_USER_SHARE else []


def newcomers(ratings: Ratings, users: Sequence[str] | None) -> np.ndarray | None:
    """Return which users of a history were not there at the fit; None for a run that does not say who was."""
    if ratings.columns["user"] is None:  # somebody's items, without a name
        return np.ones(len(ratings.users), bool)
    return None if users is None else ~np.isin(ratings.users, np.asarray(users, np.str_))


def told_new(ratings: Ratings, new: np.ndarray | None) -> list[str]:
    """Say who is new, and how many of their items the model does not know."""
    if new is None or not new.any():
        return []
    n, examples = int(new.sum()), ratings.users[new][:5].tolist()
    named = ", ".join(map(repr, examples)) + (", ..." if n > len(examples) else "")
    taken = int(ratings.taken[new].sum())
    unknown = taken - int(np.diff(ratings.seen.indptr)[new].sum())
    verb, items = "was" if n == 1 else "were", f"{taken:,} item{'s' * (taken != 1)}"
    return [
        f"{n:,} of {len(new):,} user{'s' * (len(new) != 1)} {verb} not there at the fit ({named}): the model does not "
        f"know {unknown:,} of their {items}"
    ]


def write_users(task: Any, ratings: Ratings, new: np.ndarray | None, path: Path) -> Path:
    """Write what is known of every user: new or not, items, those that the model knows, and what the list rests on."""
    rests = np.where(task.known(ratings.liked) > 0, "own items", "popularity")
    columns = {
        **({} if new is None else {"new": new.astype(int)}),
        "items": ratings.taken,
        "known": np.diff(ratings.seen.indptr),
        "liked": np.diff(ratings.liked.indptr),
        "list": rests.tolist(),
    }
    return write_table(columns, path, ratings.users, "user")


def write_recs(task: Any, ratings: Ratings, catalogue: Catalogue, path: Path) -> Path:
    """Write what is recommended to every user: user, rank, item, title if there are titles, score; nothing seen."""
    import polars as pl

    items, scores = task.rank(ratings.liked, task.top, seen=ratings.seen)
    users, ranks = np.repeat(ratings.users, task.top), np.tile(np.arange(1, task.top + 1), len(items))
    valid = items.ravel() >= 0
    taken = ratings.items[items.ravel()[valid]]
    columns = {
        "user": users[valid],
        "rank": ranks[valid],
        "item": taken,
        **({"title": [catalogue.title(item) for item in taken.tolist()]} if catalogue.named else {}),
        "score": scores.ravel()[valid].astype(np.float32),
    }
    with whole(path) as draft:
        write_csv(pl.DataFrame(columns, schema_overrides={"user": pl.String, "item": pl.String}), draft)
    return path
