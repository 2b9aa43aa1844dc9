"""Quality: the rows of the targets, measured on test data with one setting per row.

``python bench/quality.py ROW [--quick] [--seeds N]``; the last line is JSON.
"""

import json
import statistics
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import rows_anomaly
import rows_codes
import rows_defects
import rows_generate
import rows_impute
import rows_lists
import rows_masks
import rows_quick
import rows_restore
import rows_rows
import rows_series
import torch
from common import Measured, arguments, known, record
from sklearn.datasets import load_digits

import narrows as nw


class Row(NamedTuple):
    """What a row is judged by."""

    measure: Callable[[int, bool], Measured]
    floor: float | None
    goal: float
    better: str = "lower"
    also: dict[str, float] = {}  # noqa: RUF012 - goals of the other values, all better higher; never changed


ROWS = {
    "linear": Row(rows_rows.linear, None, 1e-5),
    "reconstruct": Row(rows_rows.reconstruct, 13.87, 3.00),
    "denoise": Row(rows_rows.denoise, 0.01750, 0.0125),
    "denoise-natural": Row(rows_restore.denoise_natural, 29.97, 29.5, "higher"),  # 30.43 on a GPU
    "upscale": Row(rows_restore.upscale, 33.66, 36.66, "higher", {"x3": 32.75, "x4": 30.49}),
    "embed": Row(rows_codes.embed, 0.4243, 0.80, "higher", {"trustworthiness": 0.94}),
    "features": Row(rows_codes.features, 0.901, 0.955, "higher", {"5-nn": 0.978}),
    "stacked": Row(rows_codes.stacked, 1.40, 1.28),
    "density": Row(rows_rows.density, None, 0.0),
    "nll": Row(rows_codes.nll, 98.3, 86.8),
    "impute": Row(rows_impute.impute, 1.0, 1.0, "lower", {"level or better": 0.8}),
    "generate": Row(rows_generate.generate, None, 0.70),
    "anomaly": Row(rows_anomaly.anomaly, 82.75, 87.55, "higher"),
    "anomaly-images": Row(rows_defects.anomaly_images, 0.52, 0.75, "higher", {"pixels": 0.70}),
    "anomaly-images-pretrained": Row(rows_defects.anomaly_images_pretrained, 0.52, 0.85, "higher", {"pixels": 0.80}),
    "series": Row(rows_series.series, None, 0.0, "higher"),
    "one-class": Row(rows_anomaly.one_class, 95.53, 96.96, "higher"),
    "sparse": Row(rows_codes.sparse, None, 0.90, "higher"),
    "recommend": Row(rows_lists.recommend, 0.233, 0.4606, "higher", {"recall@20": 0.4214, "recall@50": 0.5701}),
    "segment": Row(rows_masks.segment, 0.543, 0.78, "higher", {"accuracy": 0.92}),
    "segment-multi": Row(rows_masks.segment_multi, 0.17, 0.40, "higher"),
    "translate": Row(rows_masks.translate, 0.1831, 0.165),
    "quick": Row(rows_quick.quick, None, 0.0),
}


def warm_up() -> None:
    """Fit and predict once on a few rows, so that no import falls into the seconds."""
    rows = load_digits().data[:64].astype(np.float32) / 16
    nw.AutoEncoder(latent_dim=2, epochs=1, random_state=0).fit(rows).reconstruct(rows)


def main() -> None:
    """Measure one row, print it, record it."""
    parser = arguments(__doc__.splitlines()[0], list(ROWS), several=False)
    parser.add_argument("--seeds", type=int, default=1, help="fits with seeds 0, 1, ...; the value is their mean")
    parser.add_argument("--threads", type=int, default=None, help="at most (PyTorch's own choice)")
    asked = parser.parse_args()
    (name,) = known([asked.row], list(ROWS))
    if asked.threads:
        torch.set_num_threads(asked.threads)
    row, runs = ROWS[name], []
    warm_up()
    for seed in range(asked.seeds):
        runs.append(row.measure(seed, asked.quick))
        print(runs[-1].said, flush=True)
    value, seconds = (statistics.fmean(column) for column in ([r.value for r in runs], [r.seconds for r in runs]))
    line = {"row": name, "value": value, "floor": row.floor, "goal": row.goal, "seconds": seconds, "seeds": len(runs)}
    also = {key: statistics.fmean(run.also[key] for run in runs) for key in runs[0].also}
    more = {"better": row.better, "also": also, "also_goals": row.also, "values": [run.value for run in runs]}
    record(asked.results / "quality.jsonl", {**line, **more}, asked.quick)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
