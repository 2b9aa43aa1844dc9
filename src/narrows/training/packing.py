"""A tree of dicts, lists, texts, numbers and tensors as bytes with a checksum, and back: nothing in it can run."""

import hashlib
import json
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor

__all__ = ["packed", "unpacked"]

_TREE = "tree"  # the name of the JSON text among the tensors
_TENSOR = "a tensor"  # stands for one in that text, with its name
_CHECKSUM_DIGITS = 64  # of the checksum at the end


def packed(tree: Any) -> bytes:
    """Return a tree as a safetensors file, its JSON text among the tensors, with the SHA-256 of all that at the end.

    Tuples become lists, numpy's numbers those of Python; a tensor that is in two places is kept once.

    Examples
    --------
    >>> unpacked(packed({"rate": 0.1, "weights": [torch.ones(2)]}))
    {'rate': 0.1, 'weights': [tensor([1., 1.])]}
    """
    names: dict[int, str] = {}
    tensors: dict[str, Tensor] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, Tensor):
            name = names.setdefault(id(value), str(len(names)))
            tensors[name] = value.detach().cpu().contiguous()
            return {_TENSOR: name}
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, np.generic):
            return value.item()
        return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

    text = json.dumps(plain(tree)).encode()
    content = save({**tensors, _TREE: torch.frombuffer(bytearray(text), dtype=torch.uint8)})
    return content + hashlib.sha256(content).hexdigest().encode()


def unpacked(content: bytes) -> Any:
    """Return the tree of ``packed``; a ``ValueError`` where a bit of it has changed or a size in it is wrong."""
    body, checksum = content[:-_CHECKSUM_DIGITS], content[-_CHECKSUM_DIGITS:]
    if hashlib.sha256(body).hexdigest().encode() != checksum:
        raise ValueError("the checksum does not fit")
    tensors = load(body)

    def revived(value: Any) -> Any:
        if isinstance(value, dict):
            if value.keys() == {_TENSOR}:
                return tensors[value[_TENSOR]]
            return {key: revived(item) for key, item in value.items()}
        return [revived(item) for item in value] if isinstance(value, list) else value

    return revived(json.loads(tensors.pop(_TREE).numpy().tobytes()))
