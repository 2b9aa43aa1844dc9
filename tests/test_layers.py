"""Nothing imports upwards, and nothing in a round: what is imported late or for types only counts as well."""

import ast
import graphlib

import pytest
from rooms import DRAWING, MODULES, ROOT, drawing, imported_modules, imports_of, rooms

LAYERS = [
    "params parts discovery conformal holdout old_addresses old_thresholds typed_json model_card schedule errors notes "
    "files lock moments resize base_measure templates _version",
    "likelihood corruption penalties bottlenecks networks",
    "model data",
    "training",
    "estimator artefact",
    "families",
    "tasks baselines metrics",
    "workflows",
    "reporting recipes export selftest testing",
    "serve cli app declarations __main__",
]
LAYER = {name: level for level, names in enumerate(LAYERS) for name in names.split()}

# Imports upwards that are meant, as "module.Class.method -> top": a method may reach, when it is called, for what
# stands on its own class. Keep it short; there is none today.
ALLOWED: set[str] = set()


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


SHARED = ("base", "excerpts", "frames", "images", "missing", "restore")  # what several tasks stand on


def test_no_import_goes_round():
    graphlib.TopologicalSorter({module: imported_modules(module) for module in MODULES}).prepare()


def test_no_room_stands_on_itself():
    graphlib.TopologicalSorter(rooms()).prepare()


def test_the_drawing_of_the_rooms_is_fresh():
    assert DRAWING.read_text(encoding="utf-8") == drawing(), "run: python tests/rooms.py"


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
