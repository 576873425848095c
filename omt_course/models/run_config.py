"""The settings of a training run: names, kinds, defaults, and where they may come from.

One table serves the options of ``omt train`` and the keys of a TOML file. Nothing heavy is
imported here.
"""

import difflib
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

MODELS = ("digits", "faces", "celeba")


@dataclass(frozen=True)
class Setting:
    """One setting: its default, how a value is checked, and what it means.

    Attributes
    ----------
    default : object
        None where it may stay open.
    kind : type
        int, float, str or bool: how an option's text is read.
    check : callable
        Returns the value as it is stored, or raises a ValueError that says what was expected.
    help : str
    choices : tuple of str
        Empty if the value is no name from a list.
    """

    default: object
    kind: type
    check: Callable
    help: str
    choices: tuple[str, ...] = ()


def whole(value, *, least=1):
    """Return a whole number that is at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"expected a whole number, {least} or more; got {value!r}")
    return value


def seed(value):
    """Return a whole number, 0 to 2^63 - 1."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError(f"expected a whole number, 0 to 2^63 - 1; got {value!r}")
    return value


def positive(value):
    """Return a positive, finite float."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and math.isfinite(value) and value > 0):
        raise ValueError(f"expected a positive number; got {value!r}")
    return float(value)


def share(value):
    """Return a float strictly between 0 and 1."""
    if not positive(value) < 1:
        raise ValueError(f"expected a number between 0 and 1; got {value!r}")
    return float(value)


def text(value):
    """Return a string that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected a text; got {value!r}")
    return value


def path(value):
    """Return an absolute path as a string: a run may be continued from another folder."""
    return str(Path(text(value)).expanduser().absolute())


def flag(value):
    """Return true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false; got {value!r}")
    return value


def one_of(default, choices, help):
    """Return a setting with a list of names to choose from."""

    def check(value):
        if value not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}; got {value!r}")
        return value

    return Setting(default, str, check, help, choices)


_SOURCES = ("cube", "ball", "gaussian")


def _common(latent_dim, epochs, target_error):
    return {
        "limit": Setting(None, int, whole, "use the first N images only"),
        "epochs": Setting(epochs, int, whole, "of the autoencoder"),
        "latent_dim": Setting(latent_dim, int, whole, "numbers in a code"),
        "source": one_of("cube", _SOURCES, "what is transported onto the codes"),
        "target_error": Setting(
            target_error, float, share, "RMS relative mass error that the transport must reach"
        ),
        "max_seconds": Setting(None, float, positive, "give up the transport after S seconds"),
        "device": Setting("cpu", str, text, "where the transport is computed"),
        "seed": Setting(0, int, seed, "of all randomness"),
    }


_SKIP = Setting(False, bool, flag, "leave out images that cannot be read, and name them")

SETTINGS: Mapping[str, Mapping[str, Setting]] = MappingProxyType(
    {
        "digits": {
            "data": one_of("mnist-5k", ("mnist-5k", "mnist", "fashion-mnist"), "data set"),
            "split": one_of("train", ("train", "all"), "images to learn from"),
            **_common(latent_dim=16, epochs=30, target_error=0.08),
        },
        "faces": {
            "data": one_of(
                "synthetic",
                ("synthetic", "lfw", "folder"),
                "rendered faces, Labeled Faces in the Wild, or your own images",
            ),
            "n": Setting(5000, int, whole, "how many faces to render"),
            "folder": Setting(None, str, path, "your own images, for --data folder"),
            "skip_unreadable": _SKIP,
            **_common(latent_dim=64, epochs=20, target_error=0.15),
        },
        "celeba": {
            "folder": Setting(None, str, path, "CelebA's folder, as its authors lay it out"),
            "split": one_of("train", ("train", "valid", "test", "all"), "images to learn from"),
            "skip_unreadable": _SKIP,
            **_common(latent_dim=64, epochs=20, target_error=0.15),
        },
    }
)
# A budget of time has no part in what is computed: a run may go on with another one.
FREE = ("max_seconds",)


def read_toml(file: str | Path) -> dict:
    """Read settings from a TOML file, unchecked.

    Raises
    ------
    ValueError
        If it is no TOML; the message names the file and the line.
    OSError
        If it cannot be read.
    """
    try:
        with open(file, "rb") as stream:
            return tomllib.load(stream)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: expected TOML, one 'key = value' a line: {error}") from error


def resolve(model: str, *layers: tuple[str, Mapping]) -> dict:
    """Return every setting of a model, the last layer that gives one winning.

    Parameters
    ----------
    model : {"digits", "faces", "celeba"}
    *layers : (str, mapping)
        Where values come from, in the words of an error message, and the values; None stands for
        a value that is not given.

    Returns
    -------
    config : dict
        All settings of the model, in the order of `SETTINGS`, as JSON can hold them.

    Raises
    ------
    ValueError
        If a key is not known or a value is not of its kind, or if two do not go together.

    Examples
    --------
    >>> config = resolve("digits", ("run.toml", {"epochs": 5}), ("options", {"epochs": None}))
    >>> config["epochs"], config["latent_dim"]
    (5, 16)
    >>> resolve("digits", ("run.toml", {"epoch": 5}))
    Traceback (most recent call last):
    ValueError: run.toml: 'epoch' is no setting of 'omt train digits'; did you mean epochs?
    """
    if model not in SETTINGS:
        raise ValueError(f"model: expected one of {', '.join(MODELS)}; got {model!r}")
    known = SETTINGS[model]
    config = {name: setting.default for name, setting in known.items()}
    for where, values in layers:
        for name, value in values.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"expected {', '.join(known)}"
                raise ValueError(f"{where}: {name!r} is no setting of 'omt train {model}'; {hint}")
            if value is None:
                continue
            try:
                config[name] = known[name].check(value)
            except ValueError as error:
                raise ValueError(f"{where}: {name}: {error}") from None
    needs_folder = model == "celeba" or config.get("data") == "folder"
    if needs_folder and config["folder"] is None:
        raise ValueError("folder: expected the folder of the images; got none (--folder PATH)")
    if model == "faces" and not needs_folder and config["folder"] is not None:
        raise ValueError(f"folder: expected with --data folder; got data = {config['data']!r}")
    return config
