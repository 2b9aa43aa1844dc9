"""Pictures that cannot be read: refused together by name, or left out with --skip-unreadable, and named."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import narrows as nw
from narrows.cli import main
from narrows.data.images.masks import read_masks
from narrows.data.images.sets import read_pictures
from narrows.errors import InputError
from narrows.workflows.anomaly_layouts import sorted_images
from narrows.workflows.tables import RowsWorkflow

RNG = np.random.default_rng(0)
FAST = ["--no-figures", "--epochs", "1"]
LEFT_OUT = "2 of 12 images cannot be read: cut.png ("


def pictures(folder: Path, n: int = 10, bad: bool = True, side: int = 16) -> None:
    """Noise in n files; a file of text and half a file beside them."""
    folder.mkdir(parents=True)
    for i in range(n):
        Image.fromarray(RNG.integers(0, 255, (side, side), np.uint8)).save(folder / f"{i}.png")
    if bad:
        whole = (folder / "0.png").read_bytes()
        (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
        (folder / "text.png").write_text("no picture")


def failed(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(words) == 2
    return capsys.readouterr().err


def report(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize("task", ["reduce", "denoise", "upscale", "anomaly"])
def test_the_refusal_names_the_flag_and_the_run_goes_on_without_them(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures(tmp_path / "in")
    words = ["fit", task, str(tmp_path / "in"), "-o", str(tmp_path / "run"), "--no-figures"]
    words += [] if task == "anomaly" else ["--epochs", "1"]
    message = failed(words, capsys)
    assert LEFT_OUT in message
    assert "text.png (not an image)" in message
    assert "go on without them: --skip-unreadable." in message
    assert main([*words, "--skip-unreadable"]) == 0
    data = report(tmp_path / "run")["data"]
    assert data["rows"] == 10
    (note,) = [note for note in data["notes"] if "left out: " in str(note)]
    assert LEFT_OUT in str(note)
    message = failed(["apply", str(tmp_path / "run"), str(tmp_path / "in"), "-o", str(tmp_path / "out")], capsys)
    assert "--skip-unreadable" in message  # new pictures are another matter
    words = ["apply", str(tmp_path / "run"), str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--skip-unreadable"]
    assert main(words) == 0
    notes = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))["notes"]
    assert any(LEFT_OUT in note for note in notes)


def test_what_comes_of_it_is_what_comes_of_the_readable_ones_alone(tmp_path: Path) -> None:
    pictures(tmp_path / "in")
    for name in ("in", "alone"):
        flags = [*FAST, "--skip-unreadable"] if name == "in" else FAST
        assert main(["fit", "reduce", str(tmp_path / "in"), "-o", str(tmp_path / f"run_{name}"), *flags]) == 0
        for bad in ("cut.png", "text.png"):
            (tmp_path / "in" / bad).unlink(missing_ok=True)
    first, second = ((tmp_path / f"run_{name}" / "model.safetensors").read_bytes() for name in ("in", "alone"))
    assert first == second


def test_a_run_goes_on_with_the_same_flag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(tmp_path / "in")
    words = ["fit", "reduce", str(tmp_path / "in"), "-o", str(tmp_path / "run"), *FAST]

    def stopped(workflow: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RowsWorkflow, "evaluate", stopped)
        assert main([*words, "--skip-unreadable"]) == 1
    assert (tmp_path / "run" / "resume.pt").exists()
    assert "--skip-unreadable" in failed([*words, "--resume"], capsys)
    for said in ("Report: ", "nothing to do"):
        assert main([*words, "--skip-unreadable", "--resume"]) == 0
        assert said in capsys.readouterr().out
    assert not (tmp_path / "run" / "resume.pt").exists()


def test_a_stream_leaves_them_out_before_it_learns(tmp_path: Path) -> None:
    pictures(tmp_path / "in")
    words = [str(tmp_path / "in"), "-o", str(tmp_path / "run"), "--stream", "--skip-unreadable"]
    assert main(["fit", "reduce", *words, *FAST]) == 0
    assert report(tmp_path / "run")["data"]["rows"] == 10
    words = [str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--skip-unreadable"]
    assert main(["apply", str(tmp_path / "run"), *words]) == 0
    with (tmp_path / "out" / "codes.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 10
    notes = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))["notes"]
    assert any(LEFT_OUT in note for note in notes)


@pytest.mark.parametrize("task", ["segment", "denoise", "translate"])
def test_a_picture_goes_with_its_partner(task: str, tmp_path: Path) -> None:
    first, second = {"segment": ("images", "masks"), "denoise": ("noisy", "clean"), "translate": ("A", "B")}[task]
    pictures(tmp_path / first, 12, bad=False, side=24)
    (tmp_path / second).mkdir()
    for i in range(12):
        mask = np.zeros((24, 24), np.uint8)
        mask[4 : 6 + i, 4:12] = 255
        Image.fromarray(mask).save(tmp_path / second / f"{i}.png")
    (tmp_path / second / "3.png").write_bytes(b"")
    (tmp_path / first / "7.png").write_text("no picture")
    words = ["fit", task, str(tmp_path), "-o", str(tmp_path / "run"), *FAST, "--skip-unreadable"]
    assert main(words) == 0
    data = report(tmp_path / "run")["data"]
    said = " ".join(map(str, data["notes"]))
    assert f"{first!r}: left out: 1 of 12 images cannot be read: 7.png" in said
    assert f"{second!r}: left out: 1 of 12 images cannot be read: 3.png (0 bytes)" in said
    with (tmp_path / "run" / "pictures.csv").open(encoding="utf-8") as file:
        names = {row["file"] for row in csv.DictReader(file)}
    assert names == {f"{i}.png" for i in range(12)} - {"3.png", "7.png"}


def test_a_bad_picture_without_a_readable_mask_stays(tmp_path: Path) -> None:
    for part in ("good", "bad", "masks"):
        pictures(tmp_path / part, 3, bad=False)
    for i in range(3):
        Image.fromarray(255 * np.eye(16, dtype=np.uint8)).save(tmp_path / "masks" / f"{i}.png")
    (tmp_path / "masks" / "1.png").write_text("no mask")
    images = sorted_images(tmp_path, skip_unreadable=True)
    assert len(images.bad) == 3
    assert [mask is None for mask in images.masks] == [False, True, False]
    assert any("1.png (not an image)" in note for note in images.notes)
    with pytest.raises(InputError, match="skip_unreadable=True"):
        sorted_images(tmp_path)


def test_folders_of_which_nothing_can_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    for reader in (read_pictures, read_masks, nw.data.read):
        with pytest.raises(InputError, match=r"Nothing is left: 1 of 1 images cannot be read: a\.png"):
            reader(tmp_path, skip_unreadable=True)


def test_check_suggests_the_flag_and_has_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(tmp_path / "in")
    assert "go on without them: --skip-unreadable." in failed(["check", str(tmp_path / "in")], capsys)
    assert main(["check", str(tmp_path / "in"), "--skip-unreadable"]) == 0
    out = capsys.readouterr().out
    assert LEFT_OUT in out
    assert "10 rows, nothing stands in the way" in out


def test_a_table_has_no_use_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "\n".join(f"{i},{i % 7}" for i in range(40)))
    words = [str(tmp_path / "t.csv"), "-o", str(tmp_path / "run"), *FAST]
    message = failed(["fit", "reduce", *words, "--skip-unreadable"], capsys)
    assert "--skip-unreadable came for" in message
    assert "only images of a folder are left out" in message
    assert main(["fit", "reduce", *words]) == 0
    words = [str(tmp_path / "run"), str(tmp_path / "t.csv"), "-o", str(tmp_path / "out"), "--skip-unreadable"]
    assert "only images of a folder are left out" in failed(["apply", *words], capsys)
