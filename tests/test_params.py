import dataclasses
import json
import math
from importlib.metadata import EntryPoint
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import narrows.corruption
import narrows.likelihood
import narrows.networks
import narrows.penalties
import narrows.schedule
from narrows import parts as parts_module
from narrows.corruption import Corruption, GaussianNoise, Mask, SaltPepper
from narrows.errors import ArtefactError, InputError
from narrows.likelihood import Gaussian
from narrows.networks import Conv, Dense
from narrows.params import check_params, fits, kebab, param, register, words
from narrows.parts import (
    PARTS,
    Part,
    as_part,
    as_parts,
    part,
    part_from_json,
    part_json,
    read_fields,
    read_value,
    write_value,
)
from narrows.penalties import L1, Contractive
from narrows.schedule import Cosine, Ramp

FINITE = st.floats(allow_nan=False, allow_infinity=False)


class Settings:
    size: int = param(4, "a size", ge=1)
    rate: float | None = param(0.5, "a rate", gt=0, lt=1)
    plan: Literal["up", "down"] = param("up", "a plan")
    widths: tuple[int, ...] | None = param(None, "widths", ge=1)
    noise: str | Corruption | None = param(None, "noise", kind="corruption")
    free: Any = param(None, "anything")


register({}, Settings, "settings")


# ---- declarations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 0}, "'size' parameter of Settings must be at least 1. Got 0"),
        ({"size": 2.5}, "must be an integer. Got 2.5"),
        ({"size": True}, "must be an integer. Got True"),
        ({"rate": 0}, "must be greater than 0"),
        ({"rate": 1.0}, "must be less than 1"),
        ({"rate": math.nan}, "must be a finite number or None"),
        ({"rate": "0.5"}, "must be a finite number or None. Got '0.5'"),
        ({"plan": "sideways"}, "must be 'up' or 'down'. Got 'sideways'"),
        ({"widths": (8, 0)}, "must be at least 1. Got (8, 0)"),
        ({"widths": (8, 0.5)}, "must be a tuple of integers or None"),
        ({"widths": 8}, "must be a tuple of integers or None. Got 8"),
        ({"noise": 3}, "must be a text or a Corruption or None. Got 3"),
    ],
)
def test_a_value_that_breaks_its_declaration_is_named(given, message):
    with pytest.raises(InputError) as caught:
        check_params(Settings(**given))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"size": np.int64(3), "rate": np.float32(0.5), "widths": [8, 4]},
        {"rate": None, "noise": "mask:0.5", "free": object()},
        {"rate": 0.25, "noise": Mask(0.5)},
        {"noise": lambda x: x},
    ],
)
def test_values_of_the_declared_types_pass(given):
    check_params(Settings(**given))


def test_declarations_written_as_texts_are_read():
    namespace = {"param": param}
    source = (
        "from __future__ import annotations\nimport dataclasses\n"
        "@dataclasses.dataclass\nclass Late:\n    size: int = param(1, 'a size', ge=1)\n"
    )
    exec(source, namespace)
    namespace["Late"].__module__ = "builtins"
    check_params(namespace["Late"](2))
    with pytest.raises(InputError, match="an integer"):
        check_params(namespace["Late"]("two"))


def test_types_in_words():
    assert words(float | Literal["learnt"] | None) == "a finite number or 'learnt' or None"
    assert fits(np.array([1.0]), Literal["a", "b"]) is False
    assert fits(np.int64(2), Literal[2, 3, 4])
    assert not any(fits(value, Literal[1, 2]) for value in (np.int64(3), True, "1"))
    assert fits(3, Any)
    assert fits((), tuple[int, ...])


def test_a_finished_class_is_not_extended_and_its_name_not_taken():
    table: dict[str, type] = {}

    class Base:
        pass

    class First(Base):
        size: int = param(1, "a size")

    register(table, First, "first")
    assert First(size=3).size == 3
    with pytest.raises(TypeError):
        First(3)

    class Second(First):
        pass

    with pytest.raises(TypeError, match="Second extends First, which is finished"):
        register(table, Second, "second")

    class Other(Base):
        pass

    Other.__module__ = "elsewhere"
    with pytest.raises(TypeError, match="'first' of Other is taken by"):
        register(table, Other, "first")
    assert table == {"first": First}
    assert [kebab(name) for name in ("VAE", "ConditionalVAE", "AutoEncoder")] == [
        "vae",
        "conditional-vae",
        "auto-encoder",
    ]


# ---- the grammar -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("25/255", float, 25 / 255),
        ("1e-3", float, 0.001),
        ("-2", float, -2.0),
        ("1e4", int, 10_000),
        ("off", bool, False),
        ("None", int | None, None),
        ("8", int | None, 8),
        ("learnt", float | Literal["learnt"], "learnt"),
        ("1/2", float | Literal["learnt"], 0.5),
        ("ramp:0,1", float | str | narrows.schedule.Schedule, "ramp:0,1"),
        ("4", float | str | narrows.schedule.Schedule, 4.0),
        ("(1, 28, 28)", tuple[int, ...] | None, (1, 28, 28)),
        ("1x28x28", tuple[int, ...], (1, 28, 28)),
        ("512/256", tuple[int, ...], (512, 256)),
        ("", tuple[int, ...], ()),
    ],
)
def test_flags_are_read_by_their_type(text, kind, value):
    read = read_value(text, kind)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1/0", float),
        ("25/255", int),
        ("nan", float),
        ("inf", float),
        ("2.5", int),
        ("maybe", bool),
        ("a/b", float),
        ("", int),
    ],
)
def test_what_is_no_value_of_the_type_is_refused(text, kind):
    with pytest.raises(InputError, match=r"is not understood. Accepted: "):
        read_value(text, kind)


@settings(deadline=None)
@given(value=st.one_of(FINITE, st.integers(), st.booleans()))
def test_numbers_are_written_so_that_they_read_back(value):
    assert read_value(write_value(value), type(value)) == value


@pytest.mark.parametrize(
    ("kind", "text", "made"),
    [
        ("corruption", "gaussian:0.5,clip", GaussianNoise(0.5, clip=True)),
        ("corruption", "gaussian:25/255", GaussianNoise(25 / 255)),
        ("corruption", " saltpepper:0.2,-1,1 ", SaltPepper(0.2, -1, 1)),
        ("network", "conv:32,64,up=bilinear", Conv((32, 64), up="bilinear")),
        ("network", "conv:32,64,transpose,5,flat=no", Conv((32, 64), up="transpose", kernel=5, flat=False)),
        ("network", "dense", Dense()),
        ("network", "dense:widths=8,4,decoder=5,6,relu", Dense((8, 4), (5, 6), "relu")),
        ("network", "dense:widths=none", Dense(None)),
        ("likelihood", "gaussian:learnt", Gaussian("learnt")),
        ("likelihood", "gaussian:1/2", Gaussian(0.5)),
        ("penalty", "contractive:0.1,exact", Contractive(0.1, "exact")),
        ("penalty", "contractive:exact", Contractive(method="exact")),
        ("schedule", "ramp:0,4,0.5", Ramp(0, 4, 0.5)),
    ],
)
def test_texts_make_parts(kind, text, made):
    assert as_part(kind, text) == made


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (
            "corruption",
            "gausian:0.5",
            "There is no corruption 'gausian'. Accepted: blur[:sigma,to], downscale[:scale], gaussian[:std,clip,to]",
        ),
        ("corruption", "gausian", "Try: 'gaussian'."),
        (
            "corruption",
            "gaussian:sdt=0.5",
            "'sdt=0.5' is not understood. Accepted: gaussian[:std,clip,to]. Try: 'std=...'.",
        ),
        ("corruption", "gaussian:0.5,0.6,0.7", "'0.7' is not understood"),
        ("corruption", "gaussian:std=0.5,std=0.6", "'std=0.6' is not understood"),
        (
            "network",
            "conv:up=sideways",
            "'up=sideways' is not understood. Accepted: 'transpose' or 'resize' or 'bilinear'",
        ),
        ("corruption", "mask:2", "'rate' parameter of Mask must be at most 1. Got 2.0"),
        ("network", "dense:0", "'widths' parameter of Dense must be at least 1"),
        ("likelihood", "gaussian:0", "must be greater than 0"),
    ],
)
def test_a_wrong_text_says_what_is_accepted(kind, text, message):
    with pytest.raises(InputError) as caught:
        as_part(kind, text)
    assert message in str(caught.value)


def test_several_parts_in_one_text():
    assert as_parts("penalty", "l1:1e+3 + contractive:0.1") == (L1(1000.0), Contractive(0.1))
    assert as_parts("penalty", L1(0.5)) == (L1(0.5),)
    assert as_parts("penalty", ["l1:0.5", Contractive()]) == (L1(0.5), Contractive())
    assert as_parts("penalty", None) == as_parts("penalty", "") == as_parts("penalty", ()) == ()
    with pytest.raises(InputError, match="5 is no penalty"):
        as_parts("penalty", 5)


def test_a_plain_function_does_where_a_part_is_only_called():
    def halve(x):
        return x / 2

    assert as_part("corruption", halve) is halve
    assert as_parts("penalty", halve) == (halve,)
    with pytest.raises(InputError, match="is no network"):
        as_part("network", halve)
    with pytest.raises(InputError, match=r"Mask is a class, not yet a corruption.*Try: Mask\(\)"):
        as_part("corruption", Mask)
    with pytest.raises(InputError, match="is no network"):
        as_part("network", Mask(0.5))
    with pytest.raises(InputError, match="function cannot be written"):
        part_json(halve)


# ---- parts -----------------------------------------------------------------------------------------------------------


def test_parts_are_checked_when_made_hashable_and_frozen():
    with pytest.raises(InputError, match="'std' parameter of GaussianNoise must be at least 0"):
        GaussianNoise(-1.0)
    with pytest.raises(InputError, match="'up' parameter of Conv must be 'transpose'"):
        Conv(up="sideways")
    assert hash(Dense([8, 4])) == hash(Dense((8, 4)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        Mask(0.5).rate = 0.1


def values_of(kind: Any, least: int = 1, above: float = 0.0) -> st.SearchStrategy[Any]:
    """Values of a declared type: whole numbers from ``least`` on, others right ``above`` a bound."""
    if kind is int:
        return st.integers(least, 9)
    if kind is float:
        return st.floats(above + 0.001, above + 0.999)
    if kind is bool:
        return st.booleans()
    if kind is str:
        return st.sampled_from(["gaussian*2", "poisson"])
    if kind is type(None):
        return st.none()
    inner = getattr(kind, "__args__", ())
    if getattr(kind, "__origin__", None) is Literal:
        return st.sampled_from(inner)
    if getattr(kind, "__origin__", None) is tuple:
        return st.lists(values_of(inner[0]), max_size=3).map(tuple)
    if isinstance(kind, type) and issubclass(kind, Part):
        return st.sampled_from([*PARTS[kind.kind].values()]).map(lambda cls: cls())
    return st.one_of([values_of(each, least, above) for each in inner if not (each is str and len(inner) > 1)])


def made(cls: type[Part]) -> st.SearchStrategy[Part]:
    specs = dataclasses.fields(cls)
    bounds = {spec.name: (max(1, spec.metadata.get("ge", 1)), spec.metadata.get("gt", 0.0)) for spec in specs}
    fields = {spec.name: values_of(spec.type, *bounds[spec.name]) for spec in specs}
    return st.builds(cls, **fields)


OURS = [cls for table in PARTS.values() for cls in table.values() if cls.__module__.startswith("narrows.")]


@settings(deadline=None)
@given(some=st.sampled_from(OURS).flatmap(made))
def test_every_part_reads_back_from_its_text_and_its_json(some):
    assert as_part(some.kind, str(some)) == some
    assert part_from_json(json.loads(json.dumps(part_json(some), allow_nan=False))) == some


def test_every_part_says_what_its_fields_mean():
    assert {cls.kind for cls in OURS} == {"likelihood", "corruption", "penalty", "network", "schedule", "layer"}
    for cls in OURS:
        for spec in dataclasses.fields(cls):
            assert spec.metadata["help"], (cls, spec.name)


def test_only_what_differs_is_written():
    assert str(Conv()) == "conv"
    assert str(Conv((32, 64), flat=False)) == "conv:widths=32/64,flat=False"
    assert str(GaussianNoise(0.1234567891, clip=True)) == "gaussian:std=0.1234567891,clip"


def test_numpy_numbers_become_numbers_in_json():
    assert json.dumps(part_json((np.float32(0.5), np.int64(3), np.bool_(True)))) == "[0.5, 3, true]"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fields": {"rate": 0.5, "odd": 1}}, "has other fields here"),
        ({"fields": None}, "has other fields here"),
        ({"more": 1}, "has other fields here"),
        ({"fields": {"rate": 7}}, "must be at most 1"),
        (
            {"part": "somewhere.noise:Hail"},
            r"'somewhere.noise:Hail', which is not imported.*Try: import somewhere.noise.",
        ),
        ({"part": "os:system"}, "not imported"),
        ({"part": "hail"}, r"the corruption 'hail', which is not imported.*Try: import the module that defines it."),
        ({"kind": "network"}, "not imported"),
    ],
)
def test_altered_json_is_refused(change, message):
    with pytest.raises(ArtefactError, match=message):
        part_from_json({**part_json(Mask(0.5)), **change})


def test_a_part_from_outside_is_found_when_registered_or_installed(monkeypatch):
    @part("hail")
    class Hail(Corruption):
        plain_default: float = 0.5
        top: ClassVar[float] = 1.0

        def __call__(self, x):
            return x

    try:
        assert as_part("corruption", "hail:0.25") == Hail(0.25)
        stored = part_json(Hail(0.25))
        assert stored == {"kind": "corruption", "part": "hail", "fields": {"plain_default": 0.25}}
        assert part_from_json(stored) == Hail(0.25)
        assert part_from_json({**stored, "part": f"{Hail.__module__}:{Hail.__qualname__}"}) == Hail(0.25)  # format 1

        del PARTS["corruption"]["hail"]
        with pytest.raises(ArtefactError, match="not imported"):
            part_from_json(stored)

        class Entry:
            name, value = "hail", "somewhere.noise:Hail"

            @staticmethod
            def load():
                return Hail

        monkeypatch.setattr(parts_module, "entry_points", lambda group: [Entry] if group == "narrows.parts" else [])
        assert part_from_json(stored) == Hail(0.25)
        assert part_from_json({**stored, "part": Entry.value}) == Hail(0.25)  # as format 1 has it
        assert as_part("corruption", "hail") == Hail()

        broken = EntryPoint("hail", "no_such_module:Hail", "narrows.parts")
        monkeypatch.setattr(parts_module, "entry_points", lambda group: [broken])
        with pytest.raises(InputError, match="cannot be imported"):
            as_part("corruption", "hail")
    finally:
        PARTS["corruption"].pop("hail", None)


def test_an_installed_object_that_is_no_part_is_not_used(monkeypatch):
    class Entry:
        name, value = "system", "os:system"

        @staticmethod
        def load():
            import os

            return os.system

    monkeypatch.setattr(parts_module, "entry_points", lambda group: [Entry])
    with pytest.raises(ArtefactError, match="not imported"):
        part_from_json({"part": "os:system", "kind": "corruption", "fields": {}})


def test_a_name_of_another_module_is_not_taken():
    with pytest.raises(TypeError, match=r"'mask' of Mine is taken by narrows.corruption.values.Mask"):

        @part("mask")
        class Mine(Corruption):
            def __call__(self, x):
                return x


def test_read_fields_continues_the_open_sequence_only():
    assert read_fields(Dense, "decoder=8,4") == {"decoder": (8, 4)}
    assert read_fields(Dense, "8,4,decoder=3,relu,code=tanh") == {
        "widths": (8, 4),
        "decoder": (3,),
        "activation": "relu",
        "code": "tanh",
    }


# ---- schedules -------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(progress=st.floats(0, 1), start=st.floats(-5, 5), end=st.floats(-5, 5), until=st.floats(0.01, 1))
def test_ramp_is_linear_and_then_flat(progress, start, end, until):
    expected = end if progress >= until else start + (end - start) * progress / until
    assert Ramp(start, end, until)(progress) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("progress", "value"), [(0, 1.0), (1 / 3, 0.75), (0.5, 0.5), (1, 0.0), (1.5, 0.0)])
def test_cosine(progress, value):
    assert Cosine(1, 0)(progress) == pytest.approx(value, abs=1e-12)
