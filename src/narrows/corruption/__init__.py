"""What is done to the input, and not to the target, while training: frozen specs, x -> x of the same shape."""

from narrows.discovery import discovered

globals().update(discovered(__name__, __path__))
