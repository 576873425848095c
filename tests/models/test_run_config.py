"""Settings of a run: defaults, layers, and what is refused in which words."""

import json

import pytest

from omt_course.models import run_config
from omt_course.models.run_config import MODELS, SETTINGS, read_toml, resolve

FOLDER = {"folder": "/data/celeba"}


@pytest.mark.parametrize("model", MODELS)
def test_defaults_pass_their_own_checks_and_fit_in_json(model):
    config = resolve(model, ("options", FOLDER if model == "celeba" else {}))
    assert list(config) == list(SETTINGS[model])
    assert json.loads(json.dumps(config)) == config
    assert resolve(model, ("again", config)) == config


def test_the_last_layer_wins_and_none_gives_nothing():
    config = resolve("digits", ("file", {"epochs": 3, "seed": 4}), ("options", {"epochs": 5}))
    assert (config["epochs"], config["seed"]) == (5, 4)
    assert resolve("digits", ("file", {"epochs": 3}), ("o", {"epochs": None}))["epochs"] == 3


def test_a_folder_is_kept_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = resolve("celeba", ("options", {"folder": "faces"}))
    assert config["folder"] == str(tmp_path / "faces")


@pytest.mark.parametrize(
    "model, values, message",
    [
        ("digits", {"epoch": 3}, "run.toml: 'epoch' is no setting of 'omt train digits'; did you"),
        ("digits", {"folder": "a"}, "run.toml: 'folder' is no setting .*; expected data, split"),
        ("digits", {"epochs": "30"}, "run.toml: epochs: expected a whole number, 1 or more; got '"),
        ("digits", {"epochs": True}, "epochs: expected a whole number, 1 or more; got True"),
        ("digits", {"epochs": 2.0}, "epochs: expected a whole number, 1 or more; got 2.0"),
        ("digits", {"latent_dim": 0}, "latent_dim: expected a whole number, 1 or more; got 0"),
        ("digits", {"seed": -1}, "seed: expected a whole number, 0 to 2.63 - 1; got -1"),
        ("digits", {"target_error": 1.0}, "target_error: expected a number between 0 and 1"),
        ("digits", {"target_error": float("nan")}, "target_error: expected a positive number"),
        ("digits", {"max_seconds": "1"}, "max_seconds: expected a positive number; got '1'"),
        ("digits", {"data": "cifar"}, "data: expected one of mnist-5k, mnist, fashion-mnist; got"),
        ("digits", {"data": ["mnist"]}, "data: expected one of mnist-5k"),
        ("digits", {"autoencoder": {"epochs": 1}}, "'autoencoder' is no setting"),
        ("celeba", {"skip_unreadable": 1, **FOLDER}, "skip_unreadable: expected true or false"),
        ("celeba", {"folder": ""}, "folder: expected a text; got ''"),
        ("celeba", {}, "folder: expected the folder of the images; got none"),
        ("faces", {"data": "folder"}, "folder: expected the folder of the images; got none"),
        ("faces", FOLDER, "folder: expected with --data folder; got data = 'synthetic'"),
        ("cats", {}, "model: expected one of digits, faces, celeba; got 'cats'"),
    ],
)
def test_what_is_refused_is_named(model, values, message):
    with pytest.raises(ValueError, match=message):
        resolve(model, ("run.toml", values))


def test_toml_is_read_and_a_slip_is_placed(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("epochs = 3\ntarget_error = 0.1\n")
    assert read_toml(path) == {"epochs": 3, "target_error": 0.1}
    path.write_text("epochs = 3\nseed: 4\n")
    with pytest.raises(ValueError, match=r"run.toml: expected TOML.*line 2"):
        read_toml(path)
    path.write_bytes(b"epochs = \xff\xfe")
    with pytest.raises(ValueError, match=r"run.toml: expected TOML"):
        read_toml(path)


def test_every_setting_has_help_and_free_ones_exist():
    for settings in SETTINGS.values():
        assert all(setting.help for setting in settings.values())
        assert set(run_config.FREE) <= set(settings)
