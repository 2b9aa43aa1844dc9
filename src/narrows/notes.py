"""What was found in the data: sentences that also say what they are about."""

from enum import StrEnum
from typing import Annotated, NoReturn, Self, TypedDict

from narrows.typed_json import Matching

__all__ = ["Note", "NoteKind", "SavedNote"]


class NoteKind(StrEnum):
    """What a note says, as far as something is decided by it."""

    FILLED = "filled"  # how many cells of columns are missing, and what stands in for them
    LEFT_OUT = "left-out"  # nothing is learnt from a column
    LABELS = "labels"  # an array beside the rows is read as their labels
    CLASS_FOLDERS = "class-folders"  # the folders of files are read as their classes
    LEVEL = "level"  # missing cells of a category are one of its levels
    OTHER = "other"


class SavedNote(TypedDict):
    """A note as JSON has it."""

    text: str
    kind: Annotated[str, Matching("|".join(NoteKind), f"one of {', '.join(NoteKind)}")]
    where: str


class Note(str):
    """A sentence on the data that knows of what kind it is and which column it is about; as a text it is the sentence.

    Parameters
    ----------
    text : str
        The sentence.
    kind : NoteKind
        What it says.
    where : str
        The column or array that it is about; empty where it is about several, or about the data as a whole.

    Examples
    --------
    >>> note = Note("'code' is left out: 90 different texts in 100 rows", NoteKind.LEFT_OUT, "code")
    >>> print(note)
    'code' is left out: 90 different texts in 100 rows
    >>> note.kind is NoteKind.LEFT_OUT, note.where
    (True, 'code')
    """

    kind: NoteKind
    where: str

    def __new__(cls, text: str, kind: NoteKind = NoteKind.OTHER, where: str = "") -> Self:
        """Make a sentence with a meaning."""
        note = super().__new__(cls, text)
        vars(note).update(kind=kind, where=where)
        return note

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a note is frozen: {name} is not set")

    def to_json(self) -> SavedNote:
        """Return the note as JSON values."""
        return {"text": str(self), "kind": self.kind.value, "where": self.where}

    @classmethod
    def from_json(cls, saved: str | SavedNote) -> Self:
        """Rebuild a note from ``to_json``, or from the bare sentence that older runs hold."""
        return cls(saved) if isinstance(saved, str) else cls(saved["text"], NoteKind(saved["kind"]), saved["where"])
