"""The corpora of ``make fuzz`` in miniature: some calls of the command, each in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

FUZZ = Path(__file__).with_name("fuzz.py")
MINIATURE = """
import json, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import fuzz
folder = Path(sys.argv[2])
fuzz.warm_up()
names = json.loads(sys.argv[3])
every = {case.name: case for case in fuzz.made("corpus", folder)}
found = [fuzz.run(every[name]) for name in names]
print(json.dumps([len(every), [(each.case.name, each.code, each.faults()) for each in found]]))
print((folder / fuzz.CANARY).exists())
"""
CASES = {
    "csv: open quote 50 (check)": 2,
    "csv: long header (check)": 0,
    "npy: pickle inside (check)": 2,
    "npy: shape-0 (check)": 2,
    "npz: bomb (check)": 2,
    "npz: pickle as y (check)": 2,
    "sparse: outside (check)": 2,
    "parquet: declares more rows (check)": 2,
    "parquet: narrow (check)": 0,
    "parquet: structs (check)": 0,
    "pictures-gif: declared huge (check)": 2,
    "pictures-png: bomb of 16 bit (check)": 2,
    "special: 'pipe.csv' (check)": 2,
    "special: '/dev/zero' (check)": 2,
}


def test_a_dozen_malformed_files_end_in_one_message(tmp_path: Path) -> None:
    words = [sys.executable, "-c", MINIATURE, str(FUZZ.parent), str(tmp_path), json.dumps(list(CASES))]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    (total, found), canary = map(json.loads, done.stdout.lower().splitlines()[-2:])
    assert total >= 250
    assert {name: (code, faults) for name, code, faults in found} == {
        name.lower(): (code, []) for name, code in CASES.items()
    }
    assert canary is False


def test_the_runner_names_what_must_not_be() -> None:
    sys.path.insert(0, str(FUZZ.parent))
    from fuzz import Case, Outcome

    case = Case("a", ("check",), Path())
    assert Outcome(case, 2, 1, 1.0, 200.0, "narrows: no").faults() == []
    assert Outcome(case, -11, 1, 1.0, 1.0, "").faults() == ["exit code -11", "nothing said"]
    assert Outcome(case, 1, 2 * 10**9, 61.0, 61.0, "Traceback").faults() == ["a traceback", "2.00 GB", "61 s"]
    assert Outcome(case, -9, 1, 0.1, 241.0, "x").faults() == ["exit code -9", "241 s without an end"]
