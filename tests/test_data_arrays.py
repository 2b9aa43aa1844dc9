"""Arrays, sparse matrices and tensors: type and layout there and back."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch

from narrows.data import read, schema_from_json
from narrows.errors import InputError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, np.int32, np.int64, np.bool_])
@pytest.mark.parametrize("shape", [(3, 5, 6), (3, 2, 5, 6), (3, 5, 6, 3), (3, 1, 5, 6)])
def test_layout_and_type_come_back(shape: tuple[int, ...], dtype: type) -> None:
    values = RNG.integers(0, 2 if dtype == np.bool_ else 200, shape).astype(dtype)
    source = read(values)
    schema = schema_from_json(source.fit_schema().to_json())
    encoded = schema.encode(source)
    assert encoded.shape == (3, *schema.shape)
    assert schema.image_shape == schema.shape
    top = {np.uint8: 255.0, np.uint16: 65535.0}.get(dtype, 1.0)
    back = schema.decode(encoded / top if top > 1 else encoded)
    assert (back.shape, back.dtype) == (shape, np.dtype(dtype))
    np.testing.assert_array_equal(back, values)


def test_last_axis_of_channels_is_moved_with_a_note() -> None:
    values = RNG.integers(0, 200, (2, 5, 6, 3)).astype(np.uint8)
    source = read(values)
    np.testing.assert_array_equal(source.values, values.transpose(0, 3, 1, 2))
    assert source.notes == ("'array': the last axis (3) is read as channels and moved to axis 1",)


def test_small_integers_stay_flat() -> None:
    values = RNG.integers(0, 200, (4, 7)).astype(np.uint8)
    source = read(values)
    schema = source.fit_schema()
    assert (source.kind, schema.shape, schema.image_shape) == ("array", (7,), None)
    assert schema.encode(source).dtype == np.uint8
    np.testing.assert_array_equal(schema.decode(values / 255.0), values)


def test_clip_and_round() -> None:
    schema = read(np.zeros((2, 3), np.uint8)).fit_schema()
    assert schema.decode([[-0.5, 0.5, 1.5]]).tolist() == [[0, 128, 255]]
    assert schema.decode([[np.nan, 0.0019, 0.002]]).tolist() == [[0, 0, 1]]


def test_holes_make_a_table() -> None:
    values = np.array([[1, np.nan], [3, 5], [5, 9]], np.float32)
    source = read(values)
    schema = source.fit_schema()
    assert source.kind == "table"
    assert schema.encode(source)[0, 1] == 0.0
    assert schema.decode(schema.encode(source)).to_numpy()[0].tolist() == [1.0, 7.0]


@pytest.mark.parametrize("layout", ["csr_matrix", "csc_matrix", "coo_array", "csr_array"])
def test_sparse(layout: str) -> None:
    matrix = scipy.sparse.random(20, 9, 0.3, random_state=0, dtype=np.float32)
    source = read(getattr(scipy.sparse, layout)(matrix))
    schema = schema_from_json(source.fit_schema().to_json())
    np.testing.assert_array_equal(schema.encode(source).toarray(), matrix.toarray())
    assert source.kind == "sparse"
    assert source.fingerprint() == read(matrix.tocsc()).fingerprint()
    np.testing.assert_array_equal(source.take(np.array([4, 2])).values.toarray(), matrix.toarray()[[4, 2]])
    assert schema.decode(matrix.toarray()).dtype == np.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.uint8])
def test_tensors(dtype: torch.dtype) -> None:
    values = torch.arange(24).reshape(2, 1, 3, 4).to(dtype).requires_grad_(dtype.is_floating_point)
    assert read(values).values.astype(float).ravel().tolist() == list(range(24))


def test_files(tmp_path: Path) -> None:
    values = RNG.integers(0, 200, (4, 6, 6)).astype(np.uint8)
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "b.npz", x=values, y=np.array(["u", "v", "u", "w"]), extra=np.eye(2))
    scipy.sparse.save_npz(tmp_path / "c.npz", scipy.sparse.eye(5).tocsr())
    np.testing.assert_array_equal(read(tmp_path / "a.npy").values[:, 0], values)
    named = read(tmp_path / "b.npz")
    assert named.labels.tolist() == [0, 1, 0, 2]  # type: ignore[union-attr]
    assert named.class_names == ("u", "v", "w")
    assert "'b.npz': the array 'extra' is not read" in named.notes
    assert read(tmp_path / "c.npz").kind == "sparse"


def test_targets_that_are_no_classes_are_noted(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.eye(3), y=[0.5, 1.25, 2.0])
    source = read(tmp_path / "a.npz")
    assert source.labels is None
    assert any("is not one class per row, and not read" in note for note in source.notes)


def test_write_array(tmp_path: Path) -> None:
    values = RNG.integers(0, 200, (4, 6, 6)).astype(np.uint8)
    source = read(values)
    schema = source.fit_schema()
    (path,) = schema.write(values[:, None] / 255.0, tmp_path, "out", source.ids, source.id_name)
    np.testing.assert_array_equal(np.load(path), values)
    table = read(values.reshape(4, -1).astype(np.float32) / 7)
    fitted = table.fit_schema()
    (path,) = fitted.write(fitted.encode(table), tmp_path, "table", table.ids, table.id_name)
    np.testing.assert_allclose(np.load(path), values.reshape(4, -1) / 7, rtol=1e-5)
    assert np.load(path).dtype == np.float32


def test_small_integers_at_apply_of_a_table() -> None:
    schema = read(np.array([[1.0, 2.0], [3.0, 7.0]])).fit_schema()
    assert schema.encode(read(np.array([[2, 2]], np.uint8), like=schema)).tolist() == [[0.0, -1.0]]


def test_another_shape_is_refused() -> None:
    schema = read(np.zeros((3, 8, 8), np.uint8)).fit_schema()
    with pytest.raises(InputError, match=r"rows of shape \(1, 9, 9\) and type uint8"):
        schema.encode(read(np.zeros((3, 9, 9), np.uint8)))
    with pytest.raises(InputError, match="type float64"):
        schema.encode(read(np.zeros((3, 8, 8))))


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_bytes_do_not_pass_for_the_numbers_of_a_fit(dtype: type) -> None:
    """uint8 and uint16 would become [0, 1], which the model has never seen."""
    values = RNG.integers(0, 256, (4, 8, 8))
    schema = read(values.astype(dtype)).fit_schema()
    for small in (np.uint8, np.uint16):
        with pytest.raises(InputError, match=f"{small.__name__}.*{np.dtype(dtype).name}, as at fit"):
            schema.encode(read(values.astype(small)))
    assert schema.encode(read(values.astype(np.float64))).max() == values.max()
    swapped = read(values.astype(">u2"))
    assert swapped.fit_schema().encode(swapped).max() == values.max()


def test_mixed_list_of_images() -> None:
    source = read([np.zeros((4, 4), np.uint8), np.zeros((8, 8, 3), np.uint8)])
    assert source.values.shape == (2, 3, 6, 6)


def test_fingerprint_tells_shapes_and_types_apart() -> None:
    prints = {read(np.zeros(s, d)).fingerprint() for s in [(4, 6), (6, 4), (4, 2, 3)] for d in (np.uint8, np.uint16)}
    assert len(prints) == 6


@pytest.mark.parametrize(
    ("y", "labels", "names"),
    [
        (np.array([5.0, np.nan, 2.0, np.nan]), [1, -1, 0, -1], ("2", "5")),
        (np.array([b"b", b"a", b"b", b"\xc3\xa4"]), [1, 0, 1, 2], ("a", "b", "\u00e4")),
    ],
)
def test_labels_of_an_npz_file_may_be_missing_or_bytes(y: np.ndarray, labels: list[int], names: tuple[str], tmp_path):
    np.savez(tmp_path / "a.npz", X=np.eye(4), y=y)
    source = read(tmp_path / "a.npz")
    assert (source.labels.tolist(), source.class_names) == (labels, names)
    assert any("2 of 4 rows have none" in note for note in source.notes) == (-1 in labels)
