"""House rules that no linter knows."""

import ast
import re
from pathlib import Path

import pytest

import narrows

ROOT = Path(narrows.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in FILES]

BANNED = {
    "print": re.compile(r"(?<![\w.])print\("),
    "pickle": re.compile(r"^\s*(import|from) pickle|\bpickle\.", re.MULTILINE),
    "torch.manual_seed": re.compile(r"\btorch\.manual_seed\("),
    "logging.basicConfig": re.compile(r"\blogging\.basicConfig"),
}
HOME = {"torch.manual_seed": "training/runtime.py"}


def tree_of(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(encoding="utf-8"))


def code_of(name: str) -> str:
    """The file without docstrings and comments."""
    tree = tree_of(name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and has_docstring(node):
            node.body[0] = ast.Pass()
    return ast.unparse(tree)


def has_docstring(node: ast.AST) -> bool:
    return ast.get_docstring(node, clean=False) is not None


def functions_of(name: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree_of(name)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of the body, without the docstring."""
    body = function.body[1:] if has_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("name", NAMES)
def test_a_file_fits_in_400_lines(name):
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("name", NAMES)
def test_a_function_fits_in_40_lines(name):
    assert {f.name: length(f) for f in functions_of(name) if length(f) > 40} == {}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_banned_is_called(name):
    code = code_of(name)
    found = {word for word, pattern in BANNED.items() if pattern.search(code) and HOME.get(word) != name}
    assert found == set()


@pytest.mark.parametrize("name", NAMES)
def test_no_bare_assert(name):
    assert [node.lineno for node in ast.walk(tree_of(name)) if isinstance(node, ast.Assert)] == []


OURS = {"self", "cls"}
OTHERS = {"_asdict", "_fields", "_make", "_replace", "_n_features_out"}  # of tuples, and of scikit-learn
OTHERS |= {"_ConvNd", "_ConvTransposeNd", "_get_default_mps_generator", "_standard_gamma"}  # of torch


def private_names_used(tree: ast.Module) -> set[str]:
    """The names with an underscore that are asked of anything but self, and that are no convention."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and node.attr not in OTHERS
        and not (isinstance(node.value, ast.Name) and node.value.id in OURS)
    }


@pytest.mark.parametrize("name", NAMES)
def test_nobody_uses_the_private_names_of_another_object(name):
    own = {node.name for node in ast.walk(tree_of(name)) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    fields = {node.attr for node in ast.walk(tree_of(name)) if isinstance(node, ast.Attribute) if is_set(node)}
    assert private_names_used(tree_of(name)) - own - fields == set()


def is_set(node: ast.Attribute) -> bool:
    """Whether a file gives its own objects this attribute."""
    return isinstance(node.ctx, ast.Store)


EMPTY = {"made", "found", "told", "said", "each", "given"}  # words that do not say what a local holds


@pytest.mark.parametrize("name", NAMES)
def test_locals_say_what_they_hold(name):
    for function in functions_of(name):
        arguments = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
        stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        assert (stored & EMPTY) - arguments == set(), function.name


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_interrupted_as_if_by_a_user(name):
    raised = [ast.unparse(node.exc) for node in ast.walk(tree_of(name)) if isinstance(node, ast.Raise) and node.exc]
    assert "KeyboardInterrupt" not in raised


@pytest.mark.parametrize("name", NAMES)
def test_every_file_says_what_it_is(name):
    source = (ROOT / name).read_text(encoding="utf-8")
    assert has_docstring(ast.parse(source)) or name == "_version.py"


@pytest.mark.parametrize("name", NAMES)
def test_public_names_are_defined_and_described(name):
    tree = tree_of(name)
    public: list[str] = []
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) == "__all__"
            and isinstance(node.value, ast.List)
        ):
            public = [str(ast.literal_eval(item)) for item in node.value.elts if isinstance(item, ast.Constant)]
    assert public == sorted(set(public), key=public.index), "a name twice"
    described = {
        node.name: has_docstring(node)
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert [each for each in public if described.get(each) is False] == []


def test_the_rules_see_what_they_should(tmp_path):
    bad = "def f():\n    '''print(1)'''\n    print(2)\n"
    assert BANNED["print"].search(ast.unparse(ast.parse(bad)))
    assert not BANNED["print"].search("pprint(2); self.print(3)")
    assert length(ast.parse(bad).body[0]) == 1
