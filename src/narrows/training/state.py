"""Where training stands: what going on exactly needs, and the way back when the loss breaks."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from narrows.errors import InputError, Sentence, Setting
from narrows.model import Model
from narrows.training.adam import Adam
from narrows.training.config import Rate

__all__ = ["State", "go_back", "remember", "restore"]

_MAX_RETURNS = 3  # how often training may go back before it gives up


@dataclass
class State:
    """Where training stands after an epoch, or after a part of one; random numbers follow from the seed and the place.

    It is the same on every rank.
    """

    epoch: int = 0
    model: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    slower: float = 1.0  # what the learning rate is multiplied with after going back
    returns: int = 0
    step: int = 0  # steps of the next epoch that are done
    sums: dict[str, float] = field(default_factory=dict)  # of every term over their rows, in nats
    errors: dict[str, float] = field(default_factory=dict)  # sums of errors over the same rows
    seconds: float = 0.0  # that they took


def remember(model: Model, optimizer: Adam, state: State, **place: Any) -> None:
    """Copy the weights and the optimiser's memory into ``state``, with the place: all at once, or nothing."""
    weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
    vars(state).update(model=weights, optimizer=optimizer.state_dict(), **place)


def restore(model: Model, optimizer: Adam, state: State) -> None:
    """Put ``state`` back into the model and the optimiser."""
    model.load_state_dict(state.model)
    optimizer.load_state_dict(state.optimizer)


def go_back(model: Model, optimizer: Adam, state: State, rate: Rate) -> str:
    """Return to the last good state at half the learning rate, and say so; or give up.

    Raises ``InputError`` where it gives up.
    """
    number = state.epoch + 1
    state.returns += 1
    if state.returns > _MAX_RETURNS:
        raise InputError(
            f"The loss stopped being finite {state.returns} times, last in epoch {number} at a learning rate of "
            f"{rate.peak * state.slower:.3g}",
            "data in a moderate range, e.g. standardised",
            Sentence(Setting("lr", float(f"{rate.peak / 10:g}")), ", or ", Setting("clip", 1.0)),
        )
    state.slower /= 2
    restore(model, optimizer, state)
    return f"epoch {number}: the loss was no longer finite; back to the last good state, learning rate halved"
