"""Errors that name parameters: Python reads them as Python, the command line as flags."""

import ast
import copy
import json
import pickle
import re

import numpy as np
import pytest
from test_style import NAMES, ROOT, tree_of

import narrows as nw
from narrows.cli import main
from narrows.cli.messages import accepted, translated
from narrows.errors import InputError, ParameterError, Sentence, Setting

HINT = Sentence("try ", Sentence(Setting("k", 8), " or "), Setting("image_shape", (1, 8, 8)))


def test_a_sentence_reads_as_text_and_keeps_its_settings():
    assert HINT == "try k=8 or image_shape=(1, 8, 8)"
    assert [part.name for part in HINT.parts if isinstance(part, Setting)] == ["k", "image_shape"]
    assert Setting("k", np.int64(3)) == "k=3"
    assert Setting("network", "dense:8") == "network='dense:8'"


@pytest.mark.parametrize("again", [copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_arrives_whole_in_another_process(again):
    error = again(InputError("came", "accepted", HINT))
    assert (str(error), error.hint) == ("came. Accepted: accepted. Try: try k=8 or image_shape=(1, 8, 8).", HINT)
    assert translated(error, ["image_shape"]).hint == "try k=8 or --image-shape 1,8,8"
    wrong = again(ParameterError(nw.VAE, "lr", "greater than 0", 0))
    assert (str(wrong), wrong.owner) == ("The 'lr' parameter of VAE must be greater than 0. Got 0.", nw.VAE)


def test_only_a_field_of_the_command_is_a_flag():
    names = ["std", "lr"]
    with pytest.raises(ParameterError) as ours:
        nw.VAE(lr=0).fit(np.zeros((4, 2)))
    assert str(translated(ours.value, names)) == "--lr must be greater than 0. Got 0."
    assert str(translated(ours.value, ["std"])) == str(ours.value)
    with pytest.raises(ParameterError) as theirs:
        nw.corruption.GaussianNoise(-1.0)
    assert translated(theirs.value, names).came == theirs.value.came  # --std is another one's


@pytest.mark.parametrize(
    ("kind", "words"),
    [(bool | None, "yes or no, or none"), (float, "a finite number"), (int | str, "an integer or a text")],
)
def test_what_a_flag_accepts(kind, words):
    assert accepted(kind) == words


def test_what_another_process_refuses_is_said_in_flags(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.random.default_rng(0).normal(size=(60, 6)))
    words = "fit reduce x.npy --devices 2 --epochs 1 --penalties kl_sparsity -o run --quiet"
    assert main(words.split()) == 2
    assert "Try: --network dense:code=sigmoid, or --penalties l1:1e-3." in capsys.readouterr().err


TABLE = json.loads((ROOT / "cli" / "fields.json").read_text(encoding="utf-8"))
FIELDS = {
    field["name"]
    for cards in (TABLE["tasks"], TABLE["families"])
    for card in cards.values()
    for field in (*card["fields"], *card.get("reading", ()))
}
BARE = re.compile(rf"(?<![\w:-])({'|'.join(FIELDS)})=")


@pytest.mark.parametrize("name", NAMES)
def test_no_error_writes_a_setting_by_hand(name):
    calls = (node for node in ast.walk(tree_of(name)) if isinstance(node, ast.Call))
    errors = [call for call in calls if getattr(call.func, "id", "") in {"InputError", "ArtefactError", "StateError"}]
    texts = (node for call in errors for node in ast.walk(call) if isinstance(node, ast.Constant))
    wrong = [node.value for node in texts if isinstance(node.value, str) and BARE.search(node.value)]
    assert wrong == [], "a Setting is written by whom it is shown to"
