"""Extra terms of the loss: functions of one forward pass, already weighted, in nats per row."""

from narrows.penalties.base import Penalty
from narrows.penalties.code import L1, KLSparsity, Orthogonal
from narrows.penalties.critic import Critic, PatchCritic
from narrows.penalties.dead import AuxK
from narrows.penalties.jacobian import Contractive
from narrows.penalties.neighbours import Neighbours
from narrows.penalties.pictures import Dice, Edges

__all__ = [
    "L1",
    "AuxK",
    "Contractive",
    "Critic",
    "Dice",
    "Edges",
    "KLSparsity",
    "Neighbours",
    "Orthogonal",
    "PatchCritic",
    "Penalty",
]
