"""The systems of the classic tutorials, each a short script of settings: every module here holds one recipe."""

from importlib import import_module
from pkgutil import iter_modules

from narrows.recipes.base import PLAIN, RECIPES, Recipe, recipe
from narrows.recipes.run import Images, Run

__all__ = ["PLAIN", "RECIPES", "Images", "Recipe", "Run", "recipe"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
