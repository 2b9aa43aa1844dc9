"""Sentences are for people: nothing in the package is decided by what they say."""

import ast
import re

import pytest
from test_style import NAMES, tree_of

PROSE = re.compile(r"(?=.* )(?=.*[^\W\d_]{2})")  # a space, and two letters side by side
SPEECH = {"accepted", "advice", "came", "caption", "hint", "message", "note", "sentence"}  # what holds a sentence
SEARCHES = {
    *("startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition", "split", "rsplit"),
    *("find", "rfind", "index", "rindex", "count", "replace"),
    *("match", "fullmatch", "search", "findall", "finditer", "sub", "subn", "compile"),
}

# What is decided by a sentence all the same, by file, and why there is no better signal.
ALLOWED = {
    "cli/__init__.py": {"allocate memory": "torch raises a bare RuntimeError where others raise MemoryError"},
    "cli/flags.py": dict.fromkeys(
        ("unrecognized", "invalid choice", "required", "argument ", "'", ": "),
        "argparse hands its parser nothing but the sentence",
    ),
    "data/npy.py": {"Object arrays": "NumPy raises the ValueError of any other damage"},
    "tasks/denoise_pictures.py": {
        "the ": "the title of a picture leaves out the article that the name has in sentences"
    },
}


def written(node: ast.expr, named: dict[str, str]) -> list[str]:
    """The texts that an operand is, written out or by their name; of one with gaps what stands around them."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        return ["{}".join(part.value for part in node.values if isinstance(part, ast.Constant))]
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return [text for entry in node.elts for text in written(entry, named)]
    if isinstance(node, ast.BinOp):
        return [*written(node.left, named), *written(node.right, named)]
    if isinstance(node, ast.Attribute) and node.attr == "value":  # of a member of an Enum
        return written(node.value, named)
    name = getattr(node, "attr", None) or getattr(node, "id", None)
    return [named[name]] if name in named and name.isupper() else []


def constants(trees: list[ast.Module]) -> dict[str, str]:
    """The texts that have a name in a module or a class."""
    found = {}
    for tree in trees:
        for holder in ast.walk(tree):
            lines = holder.body if isinstance(holder, ast.Module | ast.ClassDef) else []
            for line in lines:
                if isinstance(line, ast.Assign | ast.AnnAssign) and isinstance(
                    line.value, ast.Constant | ast.JoinedStr
                ):
                    for target in line.targets if isinstance(line, ast.Assign) else [line.target]:
                        found |= {ast.unparse(target): text for text in written(line.value, {})}
    return found


def searched(tree: ast.Module, named: dict[str, str]) -> set[str]:
    """The texts that are looked for in others, or taken out of them, where they or the others are sentences."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(operator, ast.In | ast.NotIn) for operator in node.ops):
            operands, place = [node.left, *node.comparators], node.comparators[-1]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SEARCHES:
            operands, place = node.args[:1], node.func.value
        else:
            continue
        speech = getattr(place, "attr", None) in SPEECH or getattr(place, "id", None) in SPEECH
        found |= {text for operand in operands for text in written(operand, named) if speech or PROSE.match(text)}
    return found


NAMED = constants([tree_of(name) for name in NAMES])


@pytest.mark.parametrize("name", NAMES)
def test_no_sentence_is_searched(name):
    assert searched(tree_of(name), NAMED) == set(ALLOWED.get(name, {})), "a Note, a Setting or an Enum carries meaning"


@pytest.mark.parametrize(
    "code",
    [
        "level = 'warning' if 'left out' in note else 'note'",
        "texts = [note.partition(FILLED)[0] for note in notes]",
        "kept = [note for note in notes if not note.startswith(f'{name}:')]",
        "if f'{column!r}' not in note: pass",
        "re.sub(f\"The '{known}' parameter of \\\\w+\", flag, text)",
        "error.accepted.replace('None', 'none')",
        "if Treatment.MEDIAN.value in text: pass",
        "if text.startswith(('it is', 'they')): pass",
    ],
)
def test_a_decision_by_words_is_seen(code):
    named = constants([ast.parse("FILLED = ', filled with'\nclass Treatment(Enum):\n    MEDIAN = 'with the median'")])
    assert searched(ast.parse(code), named)


def test_what_is_no_sentence_may_be_searched():
    code = "header.startswith('P5 ')\nline.split(', ')\n'csv' in names\ntext.replace(' ', '')\nnote.kind is FILLED"
    assert searched(ast.parse(code), {}) == set()
