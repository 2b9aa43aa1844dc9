import json

import numpy as np
import pytest
from PIL import Image

import narrows as nw
from narrows import metrics
from narrows.cli import main
from narrows.errors import InputError
from narrows.recipes import pictures, synthetic_images
from narrows.recipes.run import Run


def quick(name, folder):
    assert main(["recipe", name, "--quick", "-o", str(folder)]) == 0
    return json.loads((folder / "report.json").read_text())


def rows_of(report, title):
    return {row[0]: row[1:] for table in report["tables"] if table["title"] == title for row in table["rows"]}


def applied(run, pictures, folder):
    """What ``narrows apply RUN`` writes for pictures (n, C, H, W): one array for each folder of results."""
    for i, each in enumerate(pictures):
        (folder / "new").mkdir(parents=True, exist_ok=True)
        Image.fromarray(each[0] if len(each) == 1 else np.moveaxis(each, 0, 2)).save(folder / "new" / f"{i}.png")
    assert main(["apply", str(run), str(folder / "new"), "-o", str(folder / "out")]) == 0
    found = {path.name: sorted(path.iterdir()) for path in (folder / "out").iterdir() if path.is_dir()}
    return {name: np.stack([np.asarray(Image.open(path)) for path in paths]) for name, paths in found.items()}


def test_membranes_are_found_and_skips_keep_their_place(tmp_path):
    report = quick("unet-membrane", tmp_path / "run")
    found = rows_of(report, "Skips side by side")
    dice, displacement = ({name: row[i] for name, row in found.items()} for i in (0, 2))
    assert dice["skips concatenated"] > dice["smoothed threshold"] + 0.05
    assert max(displacement["skips concatenated"], displacement["skips added"]) < 0.5 * displacement["no skips"]
    assert displacement["skips concatenated"] < displacement["smoothed threshold"]
    assert report["metrics"]["dice"]["value"] == dice["skips concatenated"]
    assert report["verdict"]["outcome"] == "wins"
    shapes = rows_of(report, "Shapes")
    assert (shapes["input"], shapes["output"]) == (["2 x 1 x 256 x 256"], ["2 x 3 x 256 x 256"])
    assert shapes["bridge"] == ["2 x 256 x 16 x 16"]
    cells, classes = synthetic_images.cells(16, 1)
    masks = nw.load(tmp_path / "run").predict(cells)
    assert set(np.unique(masks)) == {0, 255}  # as in the labels, the membrane is 0
    assert metrics.dice(metrics.confusion_matrix(classes == 0, masks == 0, 2))[1] == pytest.approx(
        report["metrics"]["dice"]["value"]
    )
    assert (report["called"], report["params"]["latent_dim"]) == ("U-Net, skips concatenated", 256)
    np.testing.assert_array_equal(applied(tmp_path / "run", cells[:3], tmp_path)["masks"], masks[:3])


def test_streets_are_named_and_a_second_run_is_restored(tmp_path, capsys):
    report = quick("unet-camvid", tmp_path / "run")
    metric, rival = report["metrics"]["miou"]["value"], report["baselines"]["most frequent class per place"]["miou"]
    assert metric > 2 * rival
    classes = rows_of(report, "Classes")
    assert len(classes) == 11
    shares, ours, simple = np.array(list(classes.values())).T
    np.testing.assert_allclose([shares.sum(), ours.mean(), simple.mean()], [1, metric, rival])
    scenes, truth = synthetic_images.streets(16, 1)
    saved = nw.load(tmp_path / "run")
    masks = saved.predict(scenes)
    assert np.mean((masks == truth)[truth != pictures.VOID]) == pytest.approx(report["metrics"]["accuracy"]["value"])
    assert [saved.class_name(k) for k in (0, 10)] == ["Sky", "Bicyclist"]
    np.testing.assert_array_equal(applied(tmp_path / "run", scenes[:3], tmp_path)["masks"], masks[:3])
    capsys.readouterr()
    again = quick("unet-camvid", tmp_path / "run")
    assert "unet: restored" in capsys.readouterr().out
    assert {key: again[key] for key in ("metrics", "baselines", "verdict")} == {
        key: report[key] for key in ("metrics", "baselines", "verdict")
    }


def test_facades_are_nearer_than_the_colour_table(tmp_path):
    report = quick("unet-facades", tmp_path / "run")
    outputs = rows_of(report, "Outputs")
    simple = min(outputs["colour table"][0], outputs["mean training target"][0])
    for name in ("L1", "L1 and a critic", "L1, Tanh"):
        assert outputs[name][0] < 0.95 * simple
        assert outputs[name][1] > 2 * outputs["colour table"][1]
    assert report["verdict"]["outcome"] == "wins"
    labels, photographs = synthetic_images.facades(16, 1)
    photos = nw.load(tmp_path / "run").predict(labels)
    assert np.abs(photos - photographs / 255).mean() == pytest.approx(report["metrics"]["l1"]["value"], rel=1e-4)
    side_by_side = np.concatenate([photographs, labels], axis=3)  # as the folder of --data holds them
    for name, given in (("alone", labels[:2]), ("side by side", side_by_side[:2])):
        made = np.moveaxis(applied(tmp_path / "run", given, tmp_path / name)["translated"], 3, 1)
        np.testing.assert_allclose(made, 255 * photos[:2], atol=0.51)


# ---- folders -------------------------------------------------------------------------------------------------------


def picture(path, shape, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, value, np.uint8)).save(path)


def run_of(folder):
    return Run("some", folder / "run", quick=False, data=folder, say=lambda text: None)


def test_slices_are_read_in_the_order_of_their_numbers_and_split_by_place(tmp_path):
    for i in range(12):
        picture(tmp_path / f"train/image/{i}.png", (6, 8), 10 * i)
        picture(tmp_path / f"train/label/{i}.png", (6, 8), 255 * (i % 2))
    run = run_of(tmp_path)
    cells = pictures.membranes(run)
    assert cells.train[:, 0, 0, 0].tolist() == [10 * i for i in range(10)]
    assert cells.test[:, 0, 5, 7].tolist() == [100, 110]
    assert (cells.train.shape, cells.train_targets.shape) == ((10, 1, 6, 8), (10, 6, 8))
    assert cells.test_targets[:, 0, 0].tolist() == [0, 1]
    assert (run.report.data["used"], run.report.data["held_out"]) == (10, 2)


def test_streets_keep_the_numbers_of_their_classes(tmp_path):
    for part, classes in (("train", (3, 11)), ("test", (0,))):
        for kind in classes:
            picture(tmp_path / part / f"{kind}.png", (4, 6, 3), 7)
            picture(tmp_path / f"{part}annot" / f"{kind}.png", (4, 6), kind)
    scenes = pictures.streets(run_of(tmp_path))
    assert scenes.train.shape == (2, 3, 4, 6)
    assert scenes.train_targets[:, 0, 0].tolist() == [3, 11]
    assert scenes.test_targets.tolist() == np.zeros((1, 4, 6)).tolist()


def test_the_photograph_is_the_left_half(tmp_path):
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        pair = np.zeros((4, 8, 3), np.uint8)
        pair[:, 4:] = 200
        Image.fromarray(pair).save(tmp_path / part / "1.png")
    houses = pictures.facades(run_of(tmp_path))
    assert (houses.train.min(), houses.train_targets.max()) == (200, 0)


def membrane_folder(folder):
    for i in range(5):
        picture(folder / f"train/image/{i}.png", (4, 4))
        picture(folder / f"train/label/{i}.png", (4, 4))


def camvid_folder(folder):
    for part in ("train", "test"):
        picture(folder / part / "a.png", (4, 6, 3))
        picture(folder / f"{part}annot" / "a.png", (4, 6))


def facades_folder(folder):
    for part in ("train", "test"):
        picture(folder / part / "a.png", (4, 8, 3))


BROKEN = {
    "no labels": ("membrane", lambda f: (f / "train/label").rename(f / "elsewhere"), "holds no train/label"),
    "no pictures": ("facades", lambda f: (f / "test/a.png").rename(f / "test/a.txt"), "holds no pictures"),
    "no partner": ("membrane", lambda f: (f / "train/label/3.png").unlink(), "without a partner"),
    "two sizes": ("membrane", lambda f: picture(f / "train/image/4.png", (4, 5)), "4.png is of shape (4, 5)"),
    "large labels": ("camvid", lambda f: picture(f / "testannot/a.png", (4, 7)), "Masks of shape (1, 4, 7)"),
    "an unknown class": ("camvid", lambda f: picture(f / "trainannot/a.png", (4, 6), 12), "values up to 12"),
    "not two halves": ("facades", lambda f: picture(f / "train/a.png", (4, 4, 3)), "pictures of 4 x 4"),
    "no picture": ("camvid", lambda f: (f / "train/a.png").write_text("x"), "cannot be read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_folder_that_will_not_do_is_refused(name, tmp_path, capsys):
    recipe, spoil, message = BROKEN[name]
    folder = tmp_path / "data"
    {"membrane": membrane_folder, "camvid": camvid_folder, "facades": facades_folder}[recipe](folder)
    read = {"membrane": pictures.membranes, "camvid": pictures.streets, "facades": pictures.facades}[recipe]
    read(run_of(folder))
    spoil(folder)
    with pytest.raises(InputError):
        read(run_of(folder))
    assert main(["recipe", f"unet-{recipe}", "--data", str(folder), "-o", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Accepted" in said


def test_a_recipe_without_its_data_says_what_the_folder_must_hold(tmp_path, capsys):
    assert main(["recipe", "unet-camvid", "-o", str(tmp_path / "run")]) == 2
    assert pictures.CAMVID in capsys.readouterr().err
