"""Nothing imports upwards, and nothing in a round: what is imported late or for types only counts as well."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import narrows

ROOT = Path(narrows.__file__).parent

LAYERS = [
    "params parts discovery old_addresses typed_json model_card schedule errors files lock moments resize base_measure "
    "_version",
    "likelihood corruption penalties bottlenecks networks",
    "model data",
    "training",
    "estimator artefact",
    "families",
    "tasks baselines metrics",
    "workflows",
    "report recipes export selftest testing",
    "serve cli app declarations __main__",
]
LAYER = {name: level for level, names in enumerate(LAYERS) for name in names.split()}

# Imports upwards that are meant, as "module.Class.method -> top": a method may reach, when it is called, for what
# stands on its own class. Keep it short; there is none today.
ALLOWED: set[str] = set()


class Import(NamedTuple):
    module: str  # that imports, without "narrows."
    where: str  # the class and function around it
    imported: str


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imports_in(node: ast.AST, where: tuple[str, ...], package: str, types: bool = False) -> Iterator[tuple[str, str]]:
    """Every import of the package under ``node``, with the names of the definitions around it."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child) and not types:
            for other in child.orelse:
                yield from imports_in(other, where, package, types)
            continue
        scope = where
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            scope = (*where, child.name)
        if isinstance(child, ast.Import):
            yield from ((".".join(where), alias.name) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            base = child.module or ""
            if child.level:
                home = package.split(".")[: len(package.split(".")) - child.level + 1]
                base = ".".join([*home, *filter(None, [base])])
            yield from ((".".join(where), f"{base}.{alias.name}") for alias in child.names)
        elif isinstance(child, ast.Call):
            yield from ((".".join(where), name) for name in lazily_imported(child))
        yield from imports_in(child, scope, package, types)


def lazily_imported(call: ast.Call) -> list[str]:
    if not call.args or not ast.unparse(call.func).endswith(("import_module", "__import__")):
        return []
    return [str(call.args[0].value)] if isinstance(call.args[0], ast.Constant) else []


def imports_of(module: str, path: Path, types: bool = False) -> list[Import]:
    full = "narrows" + (f".{module}" if module else "")
    package = full if path.name == "__init__.py" else full.rpartition(".")[0]
    found = []
    for where, name in imports_in(ast.parse(path.read_text(encoding="utf-8")), (), package, types):
        if name.startswith("narrows."):
            found.append(Import(module, where, name.removeprefix("narrows.")))
    return found


MODULES = {module: path for module, path in modules().items() if module}


def test_every_module_has_a_layer():
    assert {module.partition(".")[0] for module in MODULES} <= set(LAYER)


@pytest.mark.parametrize("module", MODULES)
def test_nothing_imports_upwards(module):
    own = LAYER[module.partition(".")[0]]
    for found in imports_of(module, MODULES[module]):
        target = found.imported.partition(".")[0]
        if target not in LAYER:
            continue  # a name of narrows/__init__ such as narrows.__version__
        label = f"{found.module}{'.' * bool(found.where)}{found.where} -> {target}"
        assert LAYER[target] <= own or label in ALLOWED, f"{label} goes up: {found.imported}"


SHARED = ("base", "images", "missing", "restore")  # what several tasks stand on


def imported_modules(module: str) -> set[str]:
    """Every module that one names, at its top, in a function or for types only."""
    names = {found.imported for found in imports_of(module, MODULES[module], types=True)}
    return {name if name in MODULES else name.rpartition(".")[0] for name in names} - {module, ""}


def test_no_import_goes_round():
    graphlib.TopologicalSorter({module: imported_modules(module) for module in MODULES}).prepare()


def test_no_room_stands_on_itself():
    rooms: dict[str, set[str]] = {}
    for module in MODULES:
        room = module.partition(".")[0]
        rooms.setdefault(room, set()).update(name.partition(".")[0] for name in imported_modules(module))
    graphlib.TopologicalSorter({room: others - {room} for room, others in rooms.items()}).prepare()


def test_a_round_is_seen(tmp_path):
    path = tmp_path / "errors.py"
    path.write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from narrows.files import whole\n")
    assert not imports_of("errors", path)
    assert [found.imported for found in imports_of("errors", path, types=True)] == ["files.whole"]


def test_families_and_tasks_do_not_import_each_other():
    for module in MODULES:
        top, leaf = (*module.split("."), "")[:2]
        if top in ("families", "tasks") and leaf not in ("", *SHARED):
            siblings = [f for f in imports_of(module, MODULES[module]) if f.imported.startswith(f"{top}.")]
            shared = tuple(f"{top}.{name}" for name in (*SHARED, leaf))
            assert all(f.imported.startswith(shared) for f in siblings), siblings


def test_the_rule_sees_an_import_upwards(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text(
        "from typing import TYPE_CHECKING\nfrom narrows.params import param\nfrom ..training import loop\n"
        "if TYPE_CHECKING:\n    from narrows.cli import main\n"
        "class A:\n    def save(self):\n        from narrows import artefact\n        import_module('narrows.report')\n"
    )
    found = imports_of("data.bad", bad)
    assert [(each.where, each.imported) for each in found] == [
        ("", "params.param"),
        ("", "training.loop"),
        ("A.save", "artefact"),
        ("A.save", "report"),
    ]


def test_the_command_line_and_the_package_start_without_torch_and_scikit_learn():
    top = {alias for node in ast.parse((ROOT / "__init__.py").read_text()).body for alias in names_imported(node)}
    assert not {name.partition(".")[0] for name in top} & {"torch", "sklearn", "numpy", "scipy"}


def names_imported(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []
