"""Every module here is one way from what a user has to what a user wants; adding a file adds the way."""

from importlib import import_module
from pkgutil import iter_modules

from narrows.journeys.base import JOURNEYS, Journey, Request, journey_for, journey_from_card

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["JOURNEYS", "Journey", "Request", "journey_for", "journey_from_card"]
