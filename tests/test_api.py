"""What ``import narrows as nw`` offers."""

import dataclasses
import inspect

import pytest

import narrows
import narrows.families
import narrows.tasks
from narrows.params import FAMILIES, TASKS, kebab
from narrows.parts import PARTS

FINISHED = {**FAMILIES, **TASKS}
CLASSES = [name for name in narrows.__all__ if not name.startswith("_") and name[0].isupper()]


@pytest.mark.parametrize("name", narrows.__all__)
def test_every_public_name_resolves(name):
    assert getattr(narrows, name) is not None


def test_names_are_listed_once_and_seen_by_dir():
    assert len(set(narrows.__all__)) == len(narrows.__all__)
    assert set(narrows.__all__) <= set(dir(narrows))
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        narrows.Nonsense  # noqa: B018 - the access is the test


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_class_shows_an_example(name):
    text = inspect.cleandoc(vars(getattr(narrows, name)).get("__doc__") or "")
    assert "Examples\n--------\n>>> " in text


def test_every_family_and_task_is_public():
    assert {cls.__name__ for cls in FINISHED.values() if cls.__module__.startswith("narrows.")} <= set(narrows.__all__)


@pytest.mark.parametrize("kind", sorted({*PARTS} - {"layer"}))  # layers are written as text
def test_every_part_is_public(kind):
    ours = {cls.__name__ for cls in PARTS[kind].values() if cls.__module__.startswith("narrows.")}
    assert ours <= set(narrows.__all__)


@pytest.mark.parametrize("name", FINISHED)
def test_a_finished_class_cannot_be_extended(name):
    with pytest.raises(TypeError, match="which is finished"):
        type("Mine", (FINISHED[name],), {})
    assert "mine" not in FAMILIES
    assert "mine" not in TASKS


@pytest.mark.parametrize("name", FINISHED)
def test_every_field_says_what_it_means(name):
    for spec in dataclasses.fields(FINISHED[name]):
        assert spec.metadata.get("help"), spec.name
        assert not spec.metadata["help"].endswith("."), spec.name


@pytest.mark.parametrize("name", FINISHED)
def test_defaults_are_legal_and_names_are_kebab(name):
    from narrows.params import check_params

    check_params(FINISHED[name]())
    assert name == kebab(name) == name.lower()
