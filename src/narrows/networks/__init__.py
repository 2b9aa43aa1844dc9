"""Networks: frozen specs that build an encoder and a decoder, sized by asking the two ends."""

from narrows.discovery import discovered

globals().update(discovered(__name__, __path__))
