"""Autoencoders on disk: weights and architecture in one safetensors file.

Written aside and renamed, read without running code. AE-OMT's files hold the same two strings that
`describe` returns. Used on the page *AE-OMT on MNIST*.
"""

import json

import safetensors.torch

from omt_course.files import write_atomically
from omt_course.models.autoencoder import ConvAutoencoder, MLPAutoencoder
from omt_course.models.checkpoints import read_tensors
from omt_course.models.image_autoencoder import ImageAutoencoder

_FORMAT = "omt_course.autoencoder/1"
ARCHITECTURES = {
    kind.__name__: kind for kind in (ConvAutoencoder, MLPAutoencoder, ImageAutoencoder)
}


def save(model, path):
    """Write the weights and the architecture to a safetensors file, atomically.

    Parameters
    ----------
    model : Autoencoder
    path : path
    """
    metadata = {"format": _FORMAT, **describe(model)}
    tensors = {name: value.contiguous().cpu() for name, value in model.state_dict().items()}
    content = safetensors.torch.save(tensors, metadata=metadata)
    write_atomically(path, lambda stream: stream.write(content))


def load(path, *, expected=None):
    """Rebuild an autoencoder from a file of `save`.

    Parameters
    ----------
    path : path
    expected : Autoencoder, optional
        Refuse a file whose architecture differs from this model's.

    Returns
    -------
    model : Autoencoder, in evaluation mode

    Raises
    ------
    ValueError
        If the file is damaged or something else, or of another architecture.
    """
    metadata, state = read_tensors(path, _FORMAT)
    if expected is not None and any(metadata[k] != v for k, v in describe(expected).items()):
        mine, theirs = (
            f"{d['architecture']} {d['config']}" for d in (describe(expected), metadata)
        )
        raise ValueError(f"path: {path} is of another architecture: expected {mine}; got {theirs}")
    return rebuild(metadata, state)


def describe(model):
    """Return the architecture as two strings, ``architecture`` and ``config`` (JSON)."""
    return {
        "architecture": type(model).__name__,
        "config": json.dumps(model.config, sort_keys=True),
    }


def rebuild(description, state):
    """Build a model from what `describe` returned, with the weights of a state dict.

    Raises
    ------
    ValueError
        If the architecture is not known or the weights do not fit it.
    """
    kind = ARCHITECTURES.get(description.get("architecture"))
    if kind is None:
        raise ValueError(
            f"description: expected an architecture among {', '.join(ARCHITECTURES)}; got "
            f"{description.get('architecture')!r}"
        )
    model = kind(**json.loads(description["config"]))
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"state: the weights do not fit {kind.__name__}: {error}") from error
    return model.eval()
