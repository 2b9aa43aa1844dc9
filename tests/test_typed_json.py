"""JSON as declared types: what fits comes back as that type, what does not is named with its entry."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict

import pytest

from narrows.errors import ArtefactError
from narrows.typed_json import Distinct, Matching, Natural, Numbers, Range, Scalar, parsed, typed


class Card(TypedDict):
    name: str
    sizes: tuple[int, ...]
    note: NotRequired[str | None]


class Pair(NamedTuple):
    first: int
    second: list[float]


@dataclass(frozen=True)
class Column:
    name: str
    kind: Literal["a", "b"] = "a"


FITTING: list[tuple[Any, Any, Any]] = [
    ({"name": "x", "sizes": [1, 2]}, Card, {"name": "x", "sizes": (1, 2)}),
    ([1, [0.5]], Pair, Pair(1, [0.5])),
    ({"first": 1, "second": []}, Pair, Pair(1, [])),
    ({"name": "x"}, Column, Column("x")),
    ([1, "x"], tuple[int, str], (1, "x")),
    ([[1, 2.5], [3, 4]], Annotated[Any, Numbers(-1, "row")], [[1, 2.5], [3, 4]]),
    (2.0, float | Annotated[Any, Numbers("row")], 2.0),
    ({"a": 1}, dict[Literal["a", "b"], int], {"a": 1}),
]


@pytest.mark.parametrize(("value", "kind", "wanted"), FITTING)
def test_what_fits_comes_back_as_its_type(value: Any, kind: Any, wanted: Any) -> None:
    made = typed(value, kind, "f", {"row": (2,)})
    assert made == wanted
    assert type(made) is type(wanted)


REFUSED: list[tuple[Any, Any, str]] = [
    ({"name": "x"}, Card, "f holds no 'sizes'"),
    ({"name": "x", "sizes": [], "os": 1}, Card, "f holds the unknown 'os'"),
    ({"name": "x", "sizes": [1, True]}, Card, r"f.sizes\[1\] is True. Accepted: an integer"),
    ({"name": "x", "sizes": [], "note": 3}, Card, "f.note is 3. Accepted: a text or None"),
    ([1], Pair, r"f is \[1\]. Accepted: a mapping of first, second"),
    ({"name": "x", "kind": "c"}, Column, "f.kind is 'c'. Accepted: 'a' or 'b'"),
    ([[1, 2, 3]], Annotated[Any, Numbers(-1, "row")], "finite numbers in lists of any x 2"),
    ([[1, math.inf]], Annotated[Any, Numbers(-1, "row")], "finite numbers"),
    (10**400, float, "Accepted: a finite number"),
    (-1, Natural, "a number from 0"),
    ("x", Scalar, "Accepted: a number"),
    (7, Annotated[int, Range(1, 5)], "a number from 1 to 5"),
    (["a", "a"], Annotated[list[str], Distinct()], "nothing stands twice"),
    ("a\n", Annotated[str, Matching("a", "an a")], "Accepted: an a"),
    ({"c": 1}, dict[Literal["a", "b"], int], "f: a key is 'c'"),
]


@pytest.mark.parametrize(("value", "kind", "said"), REFUSED)
def test_what_does_not_fit_is_named_with_its_entry(value: Any, kind: Any, said: str) -> None:
    with pytest.raises(ArtefactError, match=said):
        typed(value, kind, "f", {"row": (2,)})


def test_unknown_keys_pass_where_others_may_add_some() -> None:
    assert typed({"name": "x", "sizes": [], "more": [1]}, Card, "f", closed=False)["more"] == [1]


@pytest.mark.parametrize("text", [b"[" * 100_000, b"[" * 65 + b"]" * 65, b"{", b"\xff", b"9" * 10_000 + b"x"])
def test_what_is_no_json_or_too_deep_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed(text)


def test_huge_numbers_of_a_file_stay_small() -> None:
    assert parsed(b"[9" + b"9" * 10_000 + b"]") == [math.inf]
    assert parsed(b"[" * 64 + b"]" * 64)
