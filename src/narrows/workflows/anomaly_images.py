"""Pictures among which anomalies are looked for, pixel by pixel."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypedDict

import numpy as np

from narrows.conformal import USUAL_FPR, Threshold, finest
from narrows.data.images.pixels import FORMATS
from narrows.data.images.sets import Pictures, alike, law_of, write_pictures
from narrows.data.scale import Scale
from narrows.families.linear import LinearAutoEncoder
from narrows.holdout import GOOD_PICTURES, Split
from narrows.params import param
from narrows.tasks.anomaly.evaluate import flags_of
from narrows.tasks.anomaly.features import N_FILTERS, FilterFeatures, View, small_patches
from narrows.tasks.anomaly.images import (
    PatchResidual,
    drawn_patches,
    evaluate_maps,
    heat,
    image_score,
    parts_of,
    planted,
)
from narrows.tasks.anomaly.memory import FeatureMemory
from narrows.tasks.anomaly.pretrained import PretrainedFeatures, PretrainedNetwork
from narrows.tasks.anomaly.reconstruction import reconstruction_heat
from narrows.tasks.images import shown
from narrows.training.random import seed_of
from narrows.typed_json import Range
from narrows.workflows.anomaly_layouts import MASKS, sorted_images
from narrows.workflows.base import Evaluated, Request, Say, Workflow
from narrows.workflows.images import mixed, sizes, smaller, unmasked
from narrows.workflows.outputs import write_table

__all__ = ["ImageAnomalyWorkflow"]

PATCHES = "patches"
_BY_PATCHES = (
    "patches are compared, as settings of an autoencoder came: without these, features of whole pictures are, which "
    "find more of most defects"
)
_MAX_PATCHES = 20_000  # that are learnt from
_OF_PICTURES = {"features", "held_out", "fpr", "contamination", "clean", "random_state", "verbose", "device"}
_OF_PICTURES |= {"skip_unreadable"}


class ImagesState(TypedDict):
    """What a run keeps of how its data was read, and the scores of images that set its threshold."""

    channels: Annotated[int, Range(1, 4)]
    dtype: Literal["uint8", "uint16"]
    threshold: Threshold


class ImageAnomalyWorkflow(Workflow):
    """A folder of good images, or good/, folders of bad ones and masks/ in one, or train/, test/ and ground_truth/.

    Also read: train/good, validation/good, test/good, test/KIND and ground_truth/KIND, as in MVTec AD and LOCO, and
    Images/Normal, Images/Anomaly and Masks, as in VisA. test/good is measured on only, validation/good sets the
    threshold.
    """

    keeps: ClassVar[Any] = ImagesState
    writes: ClassVar[tuple[str, ...]] = ("heatmaps",)

    held_out: float = param(
        GOOD_PICTURES.share, "share of the good images that set the threshold and are measured on", gt=0, lt=1
    )
    skip_unreadable: bool = param(False, "leave out images that cannot be read, and name them; no: they are refused")
    patch: int = param(16, "side in pixels of the patches that are compared", ge=4)
    features: str | None = param(
        None,
        "what is compared: filters, with what a network of an installed PACKAGE sees beside them, or patches as an "
        "autoencoder gives them back; none: suited to the other flags",
    )

    def accepts(self, task: Any, request: Request) -> bool:
        """Return whether there is a folder of images."""
        data = Path(request.data).expanduser()
        return data.is_dir() and any(path.suffix.lower() in FORMATS for path in data.rglob("*"))

    def fit(self, task: Any, request: Request, say: Say) -> dict[str, Any]:
        """Read the images, put some good ones aside, and learn features or patches of the others."""
        request.refuse({"image_shape": "patches have their own shape"})
        known = (None, FilterFeatures.name, PATCHES)
        self.pretrained = None if self.features in known else PretrainedNetwork.of(str(self.features))
        images = sorted_images(Path(request.data).expanduser(), skip_unreadable=self.skip_unreadable)
        good, fine, bad, masks, notes = images[:5]
        if images.n_aside:
            request.refuse({"held_out": "a folder of its own holds out"})
        seed = seed_of(task.random_state)
        parts = images.parts(replace(GOOD_PICTURES, share=self.held_out), seed)
        learn, held = parts[:2]
        notes += [*mixed(good), *filter(None, [parts.why])]
        for note in notes:
            say(note)
        self.task, self.good, self.held, self.seed = task, good, held, seed
        self.fine, self.bad, self.masks, self.held_apart = fine, bad, masks, not parts.split.learnt
        self.channels = max(len(array) for array in good.arrays)
        seen = self.seen(good.take(learn))
        self.patches = drawn_patches(seen, self.patch, _MAX_PATCHES, seed)
        learnt = self._fit_patches if self.by_patches(request) else self._fit_memory
        notes += learnt(seen, request, f"{len(learn)} good images, {sizes(good)}", say)
        self.maps = self._heats(self.seen(good))
        scores = np.array([image_score(heat_map) for heat_map in self.maps])
        exceeded = None
        if task.contamination is not None:
            exceeded = float(np.percentile(scores, 100 * (1 - task.contamination)))
        self.threshold = _asked(Threshold("image", np.sort(scores[held]).tolist(), exceeded=exceeded), task)
        return {
            "name": good.name,
            "unit": "image",
            "rows": len(good) + len(fine) + len(bad),
            "used": len(learn),
            "held_out": parts.n_held + len(fine),
            "bad": len(bad),
            "sizes": sizes(good),
            "fingerprint": good.fingerprint()[:16],
            "notes": notes,
            "split": Split.HELD_OUT if len(fine) else parts.split,
        }

    def by_patches(self, request: Request) -> bool:
        """Return whether patches are compared: where that is asked for, or settings of an autoencoder are."""
        if self.features not in (None, PATCHES):
            trained = request.given.keys() - _OF_PICTURES
            request.refuse(dict.fromkeys(sorted(trained), "filters are solved for, with no autoencoder to set"))
        return self.features == PATCHES or (self.features is None and bool(request.given.keys() - _OF_PICTURES))

    def _fit_patches(self, seen: list[np.ndarray], request: Request, good: str, say: Say) -> list[str]:
        """Train the autoencoder on patches of pictures, and return notes."""
        for name, value in self.task.suited(self.patches.shape[1:]).items():
            if name not in request.given:
                self.task.set_params(**{name: value})
        notes = [] if self.features == PATCHES else [_BY_PATCHES]
        for note in (*notes, f"anomaly: {len(self.patches):,} patches of {good}"):
            say(note)
        self.task.fit(self.patches)
        too_strange = self.task.n_set_aside_ - self.task.n_apart_  # the others are of those put aside for patches
        return [*notes, f"{too_strange:,} patches were too strange to learn from and were left out"]

    def _fit_memory(self, seen: list[np.ndarray], request: Request, good: str, say: Say) -> list[str]:
        """Solve for the filters of pictures, remember what they find, and return notes."""
        seen_by = [] if self.pretrained is None else [f"beside the filters, features of {self.pretrained.words()}"]
        for note in (f"anomaly: {N_FILTERS} filters and their responses in {good}", *seen_by):
            say(note)
        checkpoint = self.task.resolve().checkpoint
        self.task.set_params(estimator=LinearAutoEncoder(latent_dim=N_FILTERS, checkpoint=checkpoint))
        self.task.fit(small_patches(seen, View.of(seen), self.seed))
        filters = FilterFeatures.from_patches(self.task.estimator_)
        features = filters if self.pretrained is None else PretrainedFeatures(filters, self.pretrained)
        memory = FeatureMemory(features, clean=self.task.clean, random_state=self.seed).fit(seen)
        self.task.remember(memory)
        held = f"{len(memory.vectors_):,} vectors of {len(memory.axes_)} features are remembered"
        return [*seen_by, held, f"{memory.n_left_out_} good images were too far from the others to be remembered"]

    def _heats(self, pictures: list[np.ndarray]) -> list[np.ndarray]:
        return heat_maps(self.task, pictures, self.patch)

    def seen(self, pictures: Pictures) -> list[np.ndarray]:
        """Return pictures with the channels and the type that the detector knows."""
        dtype = self.patches.dtype if hasattr(self, "patches") else None
        return alike(pictures.arrays, self.channels, dtype) if len(pictures) else []

    def evaluate(self) -> Evaluated:
        """Measure on good test images, or those put aside, and on bad ones; without these, on planted ones."""
        self.fine_maps = self._heats(self.seen(self.fine))
        ordinary, maps = self.good.take(self.held), [self.maps[i] for i in self.held]
        if len(self.fine):
            ordinary, maps = self.fine, self.fine_maps
        pictures = self.seen(ordinary)
        masks: list[np.ndarray | None] = [np.zeros(picture.shape[1:], bool) for picture in pictures]
        strange, known = self.seen(self.bad), list(self.masks)
        notes = []
        if not strange:
            scale = Scale.kept(self.task.input_scale_, pictures)
            examples = [planted(p, pictures[i - 1], scale, self.seed + i) for i, p in enumerate(pictures)]
            strange, known = [picture for picture, _ in examples], [mask for _, mask in examples]
            notes.append(
                "No bad images came: measured on good ones with a piece of another pasted in, 15 % of the range off."
            )
        labels = np.repeat([0, 1], [len(pictures), len(strange)])
        new = self._heats(strange)
        self.bad_maps = new if len(self.bad) else []
        everything = [*pictures, *strange]
        evaluation = evaluate_maps(everything, labels, masks + known, maps + new, self._competitors(everything))
        if self.pretrained is not None:
            evaluation.subject = "The memory of pretrained features"
        evaluation.flags = flags_of(self.threshold, labels, {}, {}, drawn=())
        evaluation.notes += [*notes, evaluation.flags["said"]]
        if not self.task.clean:
            note = "The rate holds where no image put aside is bad; where some are, fewer images are flagged."
            evaluation.notes.append(note)
        return Evaluated(evaluation, None)

    def _competitors(self, pictures: list[np.ndarray]) -> dict[str, list[np.ndarray]]:
        """Return the heat maps of pictures by principal components of patches, and by what the filters alone miss."""
        memory, learnt = self.task.memory, self.task.estimator_._n_features_out
        length = learnt if memory is None else self.task.suited(self.patches.shape[1:]).get("latent_dim", learnt)
        pca = PatchResidual(int(length)).fit(self.patches, clean=self.task.clean)
        maps = {pca.name: [heat(pca, picture, self.patch) for picture in pictures]}
        if memory is None:
            return maps
        missed = partial(reconstruction_heat, self.task.estimator_, memory.view_)
        return maps | {"plain reconstruction": list(map(missed, pictures))}

    def write(self, folder: Path) -> list[Path]:
        """Write scores and heat maps of all images."""
        parts = (self.good, self.fine, self.bad)
        names = tuple(name for part in parts for name in part.names)
        pictures = Pictures(self.good.name, names, [array for part in parts for array in part.arrays])
        return save(self.threshold, pictures, self.maps + self.fine_maps + self.bad_maps, folder, self._parts())

    def _parts(self) -> list[str]:
        """Return what every image was used for, good ones first, those of the test part, and bad ones."""
        held = Split.TRAINING.value
        if self.held_apart:
            held = "calibration" if len(self.fine) else Split.HELD_OUT.value  # these set the threshold as well
        parts = np.full(len(self.good), Split.TRAINING.value, object)
        parts[self.held] = held
        return [*parts, *["good test"] * len(self.fine), *["bad test"] * len(self.bad)]

    def state(self) -> dict[str, Any]:
        """Return the channels and the type of the images, and what sets their threshold."""
        return {"channels": self.channels, "dtype": self.patches.dtype.name, "threshold": self.threshold.kept()}

    def apply(self, task: Any, state: Mapping[str, Any], request: Request, out: Path, say: Say) -> list[Path]:
        """Write scores and heat maps of new images."""
        pictures = unmasked(request.data, MASKS, skip_unreadable=self.skip_unreadable)
        for note in (*pictures.notes, *smaller(pictures, state["channels"], state["dtype"])):
            say(note)
        arrays = alike(pictures.arrays, state["channels"], state["dtype"])
        maps = heat_maps(task, arrays, self.patch)
        return save(_asked(Threshold(**state["threshold"]), task), pictures, maps, out)


def _asked(threshold: Threshold, task: Any) -> Threshold:
    """Return the threshold of images for what is asked of a task: by default the finest rate that they allow."""
    usual = max(USUAL_FPR, finest(threshold.calibration))
    return threshold.asked(usual if task.fpr is None else task.fpr, task.contamination)


def heat_maps(task: Any, pictures: list[np.ndarray], patch: int) -> list[np.ndarray]:
    """Return how strange every pixel of pictures is, by the memory of a detector, or else by its patches."""
    memory = task.memory
    if memory is not None:
        return [memory.heat(picture) for picture in pictures]
    return [heat(parts_of(task), picture, patch) for picture in pictures]


def save(
    threshold: Threshold, pictures: Pictures, maps: list[np.ndarray], folder: Path, parts: list[str] | None = None
) -> list[Path]:
    """Write scores.csv, and every image under its heat map, red where it is at the threshold or beyond.

    ``parts`` is what each was used for in the fit; None for new ones.
    """
    scores = np.array([image_score(heat_map) for heat_map in maps])
    top = threshold.limit if np.isfinite(threshold.limit) else max(threshold.calibration, default=1.0)
    painted = [paint(*pair, top) for pair in zip(pictures.arrays, maps, strict=True)]
    overlays = Pictures("heatmaps", law_of(pictures.names), painted)
    paths = write_pictures(painted, overlays, folder / "heatmaps")
    ids = np.array(pictures.names)
    columns = threshold.columns(scores) | ({} if parts is None else {"part": np.array(parts)})
    return [write_table(columns, folder / "scores.csv", ids, "file"), *paths]


def paint(picture: np.ndarray, heat_map: np.ndarray, top: float) -> np.ndarray:
    """Return a picture that turns red where its map reaches ``top``, (3, H, W), uint8."""
    share = np.clip(np.sqrt(np.maximum(heat_map, 0)) / (top or 1.0), 0, 1) ** 2 * 0.7
    grey = alike([shown(picture).astype(np.float32)], 3)[0]
    red = np.array([0.9, 0.1, 0.1])[:, None, None]
    pixels: np.ndarray = np.rint(255 * ((1 - share) * grey + share * red)).astype(np.uint8)
    return pixels
