"""The command ``omt train``: a generative model of digits or faces, in a folder that can resume."""

import argparse
import errno
import sys
from pathlib import Path

from omt_course.commands import CommandError, add_command
from omt_course.models import run_config

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_HELP = {
    "digits": "train AE-OMT on digits: an autoencoder, then the transport onto its codes",
    "faces": "train AE-OMT on rendered faces, on Labeled Faces in the Wild, or on your own images",
    "celeba": "train AE-OMT on CelebA, which you have fetched by hand",
}


def add(commands):
    """Add ``train`` to the commands."""
    parser = commands.add_parser("train", help="train a generative model")
    models = parser.add_subparsers(metavar="MODEL", required=True)
    for model in run_config.MODELS:
        train = add_command(
            models,
            model,
            lambda options, model=model: _train(model, options),
            _HELP[model],
            after_interrupt=": the same command goes on after the last epoch or look",
        )
        train.add_argument(
            "--out",
            type=_folder,
            required=True,
            metavar="RUN",
            help="folder of the run: its config, log, checkpoints, model and report; "
            "the same command goes on with a run that was cut off",
        )
        train.add_argument(
            "--config",
            type=Path,
            metavar="FILE.toml",
            help="the options below with underscores, 'latent_dim = 32'; an option given here wins",
        )
        for name, setting in run_config.SETTINGS[model].items():
            _add_option(train, name, setting)


def _folder(text):
    """Read the name of a run's folder; catches the name of a model file."""
    if Path(text).suffix in (".safetensors", ".pt", ".npz", ".toml"):
        raise argparse.ArgumentTypeError(
            f"expected a folder, in which the model will be model.safetensors; got {text}"
        )
    return Path(text)


def _add_option(parser, name, setting):
    """Add the option of a setting; None stands for not given."""
    option = "--" + name.replace("_", "-")
    if setting.kind is bool:
        parser.add_argument(option, dest=name, action="store_true", default=None, help=setting.help)
        return
    default = "" if setting.default is None else f" (default: {setting.default})"
    what = {"choices": setting.choices} if setting.choices else {"metavar": _metavar(name, setting)}
    parser.add_argument(
        option, dest=name, type=_reader(setting), help=setting.help + default, **what
    )


def _metavar(name, setting):
    return {"max_seconds": "S", "folder": "PATH"}.get(name, "N" if setting.kind is int else "X")


def _reader(setting):
    """Return a function that reads an option's text as the setting wants it, for argparse."""

    def read(text):
        if setting.choices:
            return text  # argparse compares it with the choices
        try:
            value = setting.kind(text)
        except ValueError:
            value = text
        try:
            return setting.check(value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _train(model, options):
    from omt_course.models.runs import train_run

    layers = []
    if options.config is not None:
        layers.append((str(options.config), run_config.read_toml(options.config)))
    given = {name: getattr(options, name) for name in run_config.SETTINGS[model]}
    config = run_config.resolve(model, *layers, ("options", given))
    try:
        outcome = train_run(
            model, config, options.out, say=lambda sentence: print(sentence, file=sys.stderr)
        )
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise CommandError(
            f"{error.filename}: {error.strerror}; {options.out} is whole up to its last "
            "checkpoint: make room, and the same command goes on"
        ) from error
    report = outcome.report
    low, high = report["mass_error_interval"]
    if outcome.was_finished:
        print(f"finished before: {options.out}")
    print(
        f"mass error of the transport = {report['mass_error']:.3g} (95 %: {low:.3g} to {high:.3g})"
    )
    print(f"written: {outcome.model}")
