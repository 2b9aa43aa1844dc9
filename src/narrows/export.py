"""A fitted family as two ONNX files, the encoder and the decoder, checked against the model on the way."""

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from narrows.errors import InputError
from narrows.estimator.base import Estimator
from narrows.files import whole
from narrows.model import Model

if TYPE_CHECKING:
    from narrows.tasks.base import Task

__all__ = ["Exported", "export"]

_EXAMPLE_ROWS = 3  # of the example: one row alone would be taken for a fixed size


class Exported(NamedTuple):
    """One ONNX file, and the largest difference of its output from the model's, as a share of outputs beyond 1."""

    path: Path
    difference: float


class Encode(nn.Module):
    """Rows (and their condition) to codes, and the maps that the decoder also reads."""

    def __init__(self, model: Model):
        super().__init__()
        self.model = model

    def forward(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return code and maps."""
        x, cond = (*inputs, None)[:2]
        code, maps = self.model.encode(cast("Tensor", x), cond)
        return (code.z, *maps)


class Decode(nn.Module):
    """Codes (their condition, and maps where the decoder reads them) to expected rows."""

    def __init__(self, model: Model, conditional: bool):
        super().__init__()
        self.model, self.conditional = model, conditional

    def forward(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return what the likelihood expects."""
        z, *maps = inputs
        cond = maps.pop(0) if self.conditional else None
        return (self.model.likelihood.mean(self.model.decode(z, tuple(maps), cond)),)


def export(estimator: "Estimator | Task", folder: "str | Path") -> dict[str, Exported]:
    """Write ``encoder.onnx`` and ``decoder.onnx`` of a fitted family, or that of a task; rows may come in any number.

    Inputs are ``x`` (n, *row) as floats, images in [0, 1], then ``cond`` (n, classes) where the family has conditions;
    the decoder reads ``z``, then ``cond``, then the encoder's maps where the network has skips. Each file is run with
    one row and with seven, and its largest difference from the model is returned.

    Raises ``InputError`` where ONNX is not installed, or where a difference is larger than rounding.
    """
    check_is_fitted(estimator)
    family = cast("Estimator", getattr(estimator, "estimator_", estimator))
    model, (shape, _, n_cond) = family.model_.eval(), family.shapes_
    draw = torch.Generator().manual_seed(0)

    def rows(n: int) -> tuple[Tensor, ...]:
        cond = torch.eye(n_cond)[torch.arange(n) % n_cond] if n_cond else None
        return (torch.rand(n, *shape, generator=draw), *([] if cond is None else [cond]))

    encode, decode = Encode(model).eval(), Decode(model, bool(n_cond)).eval()

    def codes(n: int) -> tuple[Tensor, ...]:
        x, *cond = rows(n)
        z, *maps = encode((x, *cond))
        return (z, *cond, *maps)

    names = ["cond"] * bool(n_cond)
    maps = [f"map{i + 1}" for i in range(len(encode(rows(2))) - 1)]
    with torch.no_grad():
        return {
            "encoder": _write(encode, rows, ["x", *names], ["z", *maps], Path(folder) / "encoder.onnx"),
            "decoder": _write(decode, codes, ["z", *names, *maps], ["mean"], Path(folder) / "decoder.onnx"),
        }


def _write(module: nn.Module, inputs: Any, names: list[str], results: list[str], path: Path) -> Exported:
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError("ONNX is not installed", "", "pip install 'narrows[export]'") from error
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    example = inputs(_EXAMPLE_ROWS)
    dynamic = (({0: torch.export.Dim.DYNAMIC},) * len(example),)
    named = {"input_names": names, "output_names": results, "dynamic_shapes": dynamic}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        program = torch.onnx.export(module, (example,), **named, dynamo=True, verbose=False)  # type: ignore[arg-type]
    with whole(path) as temporary:
        program.save(temporary)  # type: ignore[union-attr]
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(temporary.read_bytes(), options, providers=["CPUExecutionProvider"])
        difference = max(_apart(session, module, names, inputs(n)) for n in (1, 7))
        if not difference < 1e-3:
            raise InputError(f"{path.name} differs from the model by {difference:.2g}", "a difference of rounding")
    return Exported(path, difference)


def _apart(session: Any, module: nn.Module, names: list[str], example: tuple[Tensor, ...]) -> float:
    """Return the largest difference between the file's outputs and the module's, as a share of outputs beyond 1."""
    outputs = session.run(None, {name: tensor.numpy() for name, tensor in zip(names, example, strict=True)})
    pairs = [(a, b.numpy()) for a, b in zip(outputs, module(example), strict=True)]
    return max(float(np.abs(a - b).max() / max(1.0, np.abs(b).max())) for a, b in pairs)
