"""The commands that are quick: help, version, check, data, report; and the file of flags."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from narrows.cli import main
from narrows.cli.flags import field_table
from narrows.declarations import declarations
from narrows.params import FAMILIES, TASKS

HEAVY = ("torch", "sklearn", "polars", "numpy", "scipy", "PIL", "matplotlib", "rich")


@pytest.mark.parametrize(
    "words",
    [
        "--version",
        "--help",
        "",
        "help",
        "fit --help",
        "fit reduce --help",
        "fit denoise --family vae --help",
        "apply -h",
    ],
)
def test_help_and_version_import_nothing_heavy(words: str) -> None:
    program = (
        "import sys; from narrows.cli import main; code = main(sys.argv[1:]); "
        f"sys.exit(code or sum(name in sys.modules for name in {HEAVY!r}))"
    )
    done = subprocess.run([sys.executable, "-c", program, *words.split()], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "narrows" in done.stdout


def test_python_m_narrows_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "narrows", "-V"], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("narrows ")


def test_what_is_written_from_the_declarations_is_fresh() -> None:
    for path, text in declarations().items():
        assert path.read_text(encoding="utf-8") == text, f"{path}: run python -m narrows.declarations"


def test_no_flag_collides() -> None:
    import_module("narrows.families")
    import_module("narrows.tasks")
    own = {"output", "family", "image_size", "resume", "overwrite", "quiet", "task", "data", "help"}
    flags = field_table()
    for task, card in flags["tasks"].items():
        names = {each["name"] for each in card["fields"]}
        assert not names & own
        for family, other in flags["families"].items():
            theirs = {each["name"] for each in other["fields"]}
            assert not theirs & own
            for name in names & theirs:  # one flag for both: what the task is given must reach the family
                held = TASKS[task](estimator=FAMILIES[family]())
                value = {"epochs": 7, "latent_dim": 7, "random_state": 7, "noise": "mask:0.7", "k": 7}[name]
                assert getattr(held.set_params(**{name: value}).resolve(), name) == value, (task, family, name)


def test_help_shows_meanings_defaults_and_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "denoise", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "--noise TEXT what is done to clean rows" in shown
    assert "numbers in the code (128)" in shown  # the family's own default
    assert main(["fit", "reduce", "--help"]) == 0
    assert "against PCA." in capsys.readouterr().out


def test_check_says_each_thing_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,x,same\n1,2.5,a\n2,,a\n3,4.5,a\n4,2.5,a\n")
    assert main(["check", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(set(lines))
    assert "note: 'x': missing in 1 row, filled with the median, 2.5." in lines
    assert lines[-1] == "t.csv: 4 rows, nothing stands in the way."


def test_check_ends_with_2_when_a_fit_would_be_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n1,2\n")
    assert main(["check", str(path)]) == 2
    assert "cannot be used as it is" in capsys.readouterr().out
    path.write_text("x,y\n1,2\n3,4\n9,0\n")
    assert main(["check", str(path), "--likelihood", "bernoulli"]) == 2


def test_data_lists_and_finds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["digits", "mnist", "fashion-mnist"]
    assert main(["data", "digits"]) == 0
    assert capsys.readouterr().out == "digits: 1,797 rows\n"


def test_report_is_written_again_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert main(["fit", "reduce", "digits", "-o", str(run), "--family", "linear", "--quiet"]) == 0
    said = capsys.readouterr().out
    before = {name: (run / name).read_bytes() for name in ("report.html", "report.json")}
    (run / "report.html").unlink()
    assert main(["report", str(run)]) == 0
    assert capsys.readouterr().out == said
    assert {name: (run / name).read_bytes() for name in before} == before
    assert json.loads(before["report.json"])["verdict"]["text"] == said.splitlines()[0]


@pytest.mark.parametrize(
    ("word", "family"),
    [("aae", "adversarial"), ("WAE", "wasserstein"), ("vq-vae", "vqvae"), ("dae", "denoising"), ("lineer", "linear")],
)
def test_a_family_is_known_by_its_acronym(word: str, family: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "reduce", "digits", "--family", word, "-o", "out"]) == 2
    assert capsys.readouterr().err.endswith(f"Try: --family {family}.\n")
