"""A run that replaces another: at every moment the old one is there, or the new one is, whole or to be put in place."""

import os
from pathlib import Path

import pytest

from narrows.cli import replacement
from narrows.cli.claim import claimed, opened, settled
from narrows.cli.run_folder import finished, is_run, own, unfinished
from narrows.errors import ArtefactError, InputError
from narrows.lock import LOCK

Content = dict[str, str]
OLD = {
    "model.json": "old",
    "model.safetensors": "old",
    "codes.csv": "old",
    "figures/a.png": "old",
    "mine.txt": "mine",
    "model.onnx": "old",
}
NEW = {"model.json": "new", "model.safetensors": "new", "scores.csv": "new", "figures/map.png": "new"}


def write(folder: Path, content: Content) -> Path:
    for name, text in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def read(folder: Path) -> Content:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


class Killed(BaseException):
    """Stands for a kill: nothing between here and there catches it."""


def steps(monkeypatch: pytest.MonkeyPatch, left: int) -> None:
    """Kill before the step after so many that change the disk."""
    counter = iter(range(left))

    def counted(function):  # type: ignore[no-untyped-def]
        def call(*args, **kwargs):  # type: ignore[no-untyped-def]
            if next(counter, None) is None:
                raise Killed
            return function(*args, **kwargs)

        return call

    for name in ("rename", "rmdir", "unlink", "mkdir"):
        monkeypatch.setattr(Path, name, counted(getattr(Path, name)))


@pytest.mark.parametrize("again", [None, 1])
def test_a_kill_between_any_two_steps_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: int | None
) -> None:
    for left in range(100):
        run = write(tmp_path / str(left), OLD)
        place = write(replacement.begin(run), NEW)
        with monkeypatch.context() as patch:
            steps(patch, left)
            try:
                replacement.replace(run, place)
                break
            except Killed:
                pass
        committed = (run / ".replacing").exists() or (run / ".moving").exists()
        assert committed or OLD.items() <= read(run).items()
        assert (run / "mine.txt").exists()
        assert replacement.pending(run) or not any(run.glob(".*"))
        if again is not None and replacement.pending(run):
            with monkeypatch.context() as patch:
                steps(patch, again)
                with pytest.raises(Killed):
                    replacement.settle(run)
        settled(run)
        assert read(run) == {**NEW, "mine.txt": "mine"}
        assert not replacement.pending(run)
    assert 10 < left < 99
    assert read(run) == {**NEW, "mine.txt": "mine"}


def test_a_draft_comes_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {"model.json": "new", "scores.csv": "new"}
    for left in range(100):
        run = write(tmp_path / str(left), OLD)
        try:
            with monkeypatch.context() as patch:
                steps(patch, left)
                with replacement.drafted(run) as draft:
                    for name, text in changed.items():
                        (draft / name).write_text(text)
        except Killed:
            settled(run)
            state = {name: text for name, text in read(run).items() if not name.startswith(".draft")}
            assert state in (OLD, {**OLD, **changed})
            continue
        break
    assert 3 < left < 99
    assert read(run) == {**OLD, **changed}

    def refused() -> None:
        with replacement.drafted(run) as draft:
            (draft / "model.json").write_text("half")
            raise InputError("refused")

    with pytest.raises(InputError):
        refused()
    assert read(run) == {**OLD, **changed}


def test_a_refused_run_leaves_what_is_there(tmp_path: Path) -> None:
    run = write(tmp_path / "run", OLD | {"unfinished/resume.pt": "hours", "unfinished-2/history.csv": "hours"})
    before = read(run)

    def refused() -> None:
        with claimed(run, resume=False, overwrite=True) as place:
            (place / "encoded-rows").mkdir()
            raise InputError("bad data")

    for _ in range(2):
        with pytest.raises(InputError, match="bad data"):
            refused()
        assert read(run) == before
        assert {path.name for path in run.iterdir()} == {"mine.txt", "figures", "unfinished", "unfinished-2", *OLD} - {
            "figures/a.png"
        }


def test_a_run_that_was_to_replace_another_goes_on_where_it_was_trained_last(tmp_path: Path) -> None:
    run = write(tmp_path / "run", OLD)

    def stopped(number: int, name: str) -> None:
        with claimed(run, resume=False, overwrite=True) as place:
            assert place == run / name
            (place / "resume.pt").write_text(name)
            os.utime(place, (number, number))
            raise Killed

    for number, name in enumerate(("unfinished", "unfinished-2", "unfinished-3")):
        with pytest.raises(Killed):
            stopped(number, name)
    (run / "unfinished-4").mkdir()  # killed before it was trained
    with claimed(run, resume=True, overwrite=False) as place:
        assert place == run / "unfinished-3"
        write(place, NEW)
        (place / "resume.pt").unlink()
    assert read(run) == {**NEW, "mine.txt": "mine"}
    assert unfinished(run) == []


def test_what_was_interrupted_replaces_the_old_run_once_it_is_finished(tmp_path: Path) -> None:
    run, half = write(tmp_path / "run", OLD), NEW | {"resume.pt": "half", "encoded-rows/rows.npy": "rows"}
    with claimed(run, resume=False, overwrite=True) as place:
        write(place, half)
    assert read(run) == OLD | {f"unfinished/{name}": text for name, text in half.items()}
    assert not finished(run)
    with claimed(run, resume=True, overwrite=False) as place:
        assert place == run / "unfinished"
        (place / "resume.pt").unlink()
        (place / "encoded-rows" / "rows.npy").unlink()
    assert read(run) == NEW | {"mine.txt": "mine"}
    assert finished(run)


def test_results_without_training_that_a_kill_left_are_a_run(tmp_path: Path) -> None:
    """A closed form has no resume state."""
    run = write(tmp_path / "run", {"codes.csv": "half", ".codes.csv.0123abcd.partial.csv": "", LOCK: ""})
    assert is_run(run)
    with pytest.raises(ArtefactError, match="a fit that is not finished"):
        opened(run)
    with pytest.raises(InputError, match="Try: --resume, --overwrite"), claimed(run, resume=False, overwrite=False):
        pass
    write(run, {LOCK: ""})
    with claimed(run, resume=True, overwrite=False) as place:
        assert place == run
        assert [path.name for path in own(run)] == ["codes.csv"]
    assert read(run) == {"codes.csv": "half"}


def test_the_leftovers_of_writers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    partial = ".{}.0123abcd.partial.csv"
    left = [partial.format("history.csv"), f"figures/{partial.format('a.png')}", f"cleaned/a/{partial.format('b.png')}"]
    run = write(tmp_path / "run", OLD | dict.fromkeys(left, "") | {"resume.pt": "", ".hidden": "", ".a.csv": ""})
    with claimed(run, resume=True, overwrite=False):
        assert read(run).keys() == {*OLD, "resume.pt", ".hidden", ".a.csv", LOCK}
