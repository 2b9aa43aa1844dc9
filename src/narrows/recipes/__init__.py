"""The systems of the classic tutorials, each a short script of settings: every module here holds one recipe."""

from narrows.discovery import discovered
from narrows.recipes.base import PLAIN, RECIPES, Recipe, recipe
from narrows.recipes.run import Images, Run

__all__ = ["PLAIN", "RECIPES", "Images", "Recipe", "Run", "recipe"]

discovered(__name__, __path__)
