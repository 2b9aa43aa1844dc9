"""Written by `python -m narrows.declarations`: what type checkers see."""

from narrows.penalties.aux_k import AuxK as AuxK
from narrows.penalties.base import Penalty as Penalty
from narrows.penalties.code import KLSparsity as KLSparsity
from narrows.penalties.code import L1 as L1
from narrows.penalties.code import Orthogonal as Orthogonal
from narrows.penalties.critic import Critic as Critic
from narrows.penalties.critic import PatchCritic as PatchCritic
from narrows.penalties.jacobian import Contractive as Contractive
from narrows.penalties.neighbours import Neighbours as Neighbours
from narrows.penalties.pictures import Dice as Dice
from narrows.penalties.pictures import Edges as Edges

__all__ = [
    "AuxK",
    "Contractive",
    "Critic",
    "Dice",
    "Edges",
    "KLSparsity",
    "L1",
    "Neighbours",
    "Orthogonal",
    "PatchCritic",
    "Penalty",
]
