"""What the encoder's numbers mean: the code and its cost."""

from narrows.discovery import discovered

globals().update(discovered(__name__, __path__))
