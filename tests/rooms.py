"""The rooms of the package and what each stands on, read from its imports.

``python tests/rooms.py`` draws them again: ``docs/rooms.svg``.
"""

import ast
import graphlib
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

import narrows

ROOT = Path(narrows.__file__).parent
DRAWING = Path(__file__).parent.parent / "docs" / "rooms.svg"
WIDTH, HEIGHT, BOX = 1000, 62, 96
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1b1b1b;text-anchor:middle}"
    "rect{fill:#eef3f8;stroke:#46688a;rx:6}line{stroke:#9fb3c6;stroke-width:1.2}"
)


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


def imported_modules(module: str) -> set[str]:
    """Every module that one names, at its top, in a function or for types only."""
    names = {found.imported for found in imports_of(module, MODULES[module], types=True)}
    return {name if name in MODULES else name.rpartition(".")[0] for name in names} - {module, ""}


def rooms() -> dict[str, set[str]]:
    """Every folder and loose file of the package, and those that it imports from."""
    found: dict[str, set[str]] = {}
    for module in MODULES:
        room = module.partition(".")[0]
        found.setdefault(room, set()).update(name.partition(".")[0] for name in imported_modules(module))
    return {room: others - {room} for room, others in found.items()}


def folders() -> dict[str, set[str]]:
    """Every folder and those that it stands on, also by way of loose files, without what others on the way stand on."""
    every = rooms()
    below: dict[str, set[str]] = {}
    for room in graphlib.TopologicalSorter(every).static_order():
        below[room] = {one for other in every[room] for one in (other, *below[other])}
    inside = {
        room: {other for other in others if is_folder(other)} for room, others in below.items() if is_folder(room)
    }
    return {
        room: {one for one in others if not any(one in inside[other] for other in others)}
        for room, others in inside.items()
    }


def is_folder(room: str) -> bool:
    return (ROOT / room).is_dir()


def floors(stands_on: dict[str, set[str]]) -> list[list[str]]:
    """The folders by floor: each stands above all that it stands on."""
    floor: dict[str, int] = {}
    for room in graphlib.TopologicalSorter(stands_on).static_order():
        floor[room] = max((floor[other] + 1 for other in stands_on[room]), default=0)
    return [sorted(room for room in floor if floor[room] == level) for level in range(max(floor.values()) + 1)]


def middle(room: str, stands_on: dict[str, set[str]], place: dict[str, tuple[float, float]]) -> float:
    """Where, from left to right, those are that stand on a folder."""
    above = [place[other][0] for other in place if room in stands_on[other]]
    return sum(above) / len(above) if above else WIDTH / 2


def drawing() -> str:
    """The folders as a picture: a line goes down to what a folder stands on, unless something between stands there."""
    stands_on = folders()
    levels = floors(stands_on)
    place: dict[str, tuple[float, float]] = {}
    for y, level in enumerate(reversed(levels)):
        order = sorted(level, key=lambda room: (middle(room, stands_on, place), room))
        for i, room in enumerate(order):
            place[room] = (WIDTH / 2 + (i - (len(level) - 1) / 2) * WIDTH / 5, (y + 0.5) * HEIGHT)
    lines = [
        f'<line x1="{place[room][0]:g}" y1="{place[room][1]:g}" x2="{place[other][0]:g}" y2="{place[other][1]:g}"/>'
        for room in sorted(stands_on)
        for other in sorted(stands_on[room])
    ]
    boxes = [
        f'<rect x="{x - BOX / 2:g}" y="{y - 15:g}" width="{BOX}" height="30"/>'
        f'<text x="{x:g}" y="{y + 4.5:g}">{escape(room)}</text>'
        for room, (x, y) in sorted(place.items())
    ]
    size = f'width="{WIDTH}" height="{len(levels) * HEIGHT}" viewBox="0 0 {WIDTH} {len(levels) * HEIGHT}"'
    inner = "\n".join([f"<style>{STYLE}</style>", *lines, *boxes])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{inner}\n</svg>\n'


if __name__ == "__main__":
    DRAWING.write_text(drawing(), encoding="utf-8")
