"""Checkpoints on disk: written aside and renamed, read without running code, checked before use."""

import io
import pickle
from pathlib import Path

import safetensors
import torch

from omt_course.files import write_atomically

_FORMAT = "omt_course.training/1"


def save(path, **content):
    """Write a checkpoint atomically.

    Parameters
    ----------
    path : path
    **content
        Tensors, numbers, strings, and containers of them; `load` needs ``model`` and ``settings``.
    """
    packed = io.BytesIO()  # torch hides the reason when a write to disk fails
    torch.save({"format": _FORMAT, **content}, packed)
    write_atomically(path, lambda stream: stream.write(packed.getbuffer()))


def load(path, model, settings):
    """Read a checkpoint of `train` and check that it continues this very run.

    Parameters
    ----------
    path : path
    model : torch.nn.Module
        Must have the names and shapes of the stored weights.
    settings : dict
        Must agree with those stored.

    Returns
    -------
    stored : dict

    Raises
    ------
    ValueError
        If the file is damaged or something else, or belongs to another architecture or run.
    """
    content = io.BytesIO(Path(path).read_bytes())
    try:
        stored = torch.load(content, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError, ValueError, KeyError) as error:
        raise ValueError(
            f"checkpoint: expected a file written by train; {path} is damaged or something else; "
            "delete it to start over"
        ) from error
    if not isinstance(stored, dict) or stored.get("format") != _FORMAT:
        raise ValueError(f"checkpoint: expected the format {_FORMAT}; {path} has another")
    shapes = {name: tuple(value.shape) for name, value in stored["model"].items()}
    for name, value in model.state_dict().items():
        if shapes.pop(name, None) != tuple(value.shape):
            raise ValueError(f"checkpoint: {path} is of another architecture: it differs in {name}")
    if shapes:
        raise ValueError(f"checkpoint: {path} is of another architecture: it has {min(shapes)} too")
    for name, value in settings.items():
        if stored["settings"].get(name) != value:
            raise ValueError(
                f"checkpoint: expected {name} = {stored['settings'].get(name)} as in {path}; got "
                f"{value}; pass resume=False to start over"
            )
    return stored


def read_tensors(path, wanted):
    """Read a safetensors file of a given format.

    Parameters
    ----------
    path : path
    wanted : str
        What its metadata must say under ``format``.

    Returns
    -------
    metadata : dict of str
    tensors : dict of tensors

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or something else.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"path: no such file: {path}")
    try:
        with safetensors.safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}
    except safetensors.SafetensorError as error:
        raise ValueError(f"path: expected a model file; {path} is damaged: {error}") from error
    if metadata.get("format") != wanted:
        raise ValueError(f"path: expected a file of format {wanted}; {path} is something else")
    return metadata, tensors
