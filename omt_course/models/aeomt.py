"""AE-OMT: an autoencoder finds the manifold, optimal transport puts the right measure on it.

Three steps, each with its own evidence: encode the images; transport a plain source onto the
codes by a convex polyhedron; generate by drawing a point of the source, moving it by the extended
map, and decoding. Taught in *AE-OMT on MNIST* and *AE-OMT on faces*.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from tqdm import tqdm

from omt_course.files import write_atomically
from omt_course.models import autoencoder as autoencoders
from omt_course.models import autoencoder_files
from omt_course.models.autoencoder import SIDE, Autoencoder, ConvAutoencoder, own_loss
from omt_course.models.checkpoints import read_tensors
from omt_course.models.codes import targets
from omt_course.models.image_autoencoder import ImageAutoencoder
from omt_course.models.images import as_pixels
from omt_course.models.training import Epoch, seeded, train
from omt_course.transport import montecarlo
from omt_course.transport.counting import draw
from omt_course.transport.extension import Extended, Extension, extend

_FORMAT = "omt_course.aeomt/1"
SOURCES = ("cube", "ball", "gaussian")


@dataclass(frozen=True)
class Generated:
    """Generated images and where they come from.

    Attributes
    ----------
    images : (n, c, h, w) float tensor in (0, 1)
    codes : (n, latent_dim) float tensor
        As the decoder takes them.
    source : (n, latent_dim) float array
        Points of the source.
    extended : Extended
        Cells, ridge angles and the number of codes mixed.
    """

    images: torch.Tensor
    codes: torch.Tensor
    source: np.ndarray
    extended: Extended


@dataclass(frozen=True, eq=False)
class AEOMT:
    """A trained model; make one with `AEOMT.fit`.

    Attributes
    ----------
    autoencoder : Autoencoder
    mean, scale : (latent_dim,) float array
        The codes are `mean + scale * points`.
    source : {"cube", "ball", "gaussian"}
    extension : Extension
        Its `points` are the distinct codes, in the order of the images, shifted and scaled to
        mean 0 and variance 1 in each coordinate; its `heights` those of Brenier's potential.
    mass_error : float
        RMS relative mass error of the transport on held-out samples.
    mass_error_interval : (float, float)
        95 % confidence interval of it.

    Examples
    --------
    >>> images = torch.rand(64, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    >>> model = AEOMT.fit(images, generator=torch.Generator().manual_seed(0), latent_dim=4,
    ...                   epochs=1, target_error=0.2, progress=False)
    >>> model.sample(5, generator=torch.Generator().manual_seed(1)).images.shape
    torch.Size([5, 1, 28, 28])
    """

    autoencoder: Autoencoder
    mean: np.ndarray
    scale: np.ndarray
    source: str
    extension: Extension
    mass_error: float
    mass_error_interval: tuple[float, float]

    @classmethod
    def fit(
        cls,
        images: torch.Tensor | np.ndarray,
        *,
        generator: torch.Generator,
        autoencoder: Autoencoder | None = None,
        latent_dim: int = 16,
        epochs: int = 30,
        source: str = "cube",
        target_error: float = 0.08,
        max_seconds: float | None = None,
        threshold: float | None = None,
        softness: float = 0.5,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
        transport_checkpoint: str | Path | None = None,
        callback: Callable[[Epoch | montecarlo.MonteCarloStep], None] | None = None,
        progress: bool = True,
    ) -> "AEOMT":
        """Train the autoencoder, or take a trained one, and transport a source onto the codes.

        Parameters
        ----------
        images : (n, h, w) or (n, h, w, 3) uint8 array, or (n, c, h, w) floats in [0, 1]
            Grey or colour. Bytes stay bytes, so a large set needs a quarter of the memory.
        generator : torch.Generator
            Rules the initial weights, the order of the data and the samples of the source.
        autoencoder : Autoencoder, optional
            Already trained: then `latent_dim`, `epochs` and `checkpoint` are not used. Left
            out: a `ConvAutoencoder` for 28 x 28 grey images, else an `ImageAutoencoder`.
        latent_dim, epochs : int
        source : {"cube", "ball", "gaussian"}
        target_error : float
            RMS relative mass error that the transport must certify.
        max_seconds : float, optional
            Seconds allowed for the transport.
        threshold, softness : float
            As for `omt_course.transport.extension.extend`.
        device : str
            Where the transport is computed.
        checkpoint, transport_checkpoint : path, optional
            States of the two stages, written after every epoch, and after every look and 20
            seconds; a run that was cut off resumes from them, on a CPU to the same model.
        callback : callable, optional
            Called with every epoch of the autoencoder and every look of the transport.
        progress : bool

        Returns
        -------
        AEOMT

        Raises
        ------
        ValueError
            If an argument cannot be used.
        NotConverged
            If the transport does not reach `target_error` in `max_seconds`.
        """
        images = as_pixels(images)
        shape = tuple(images.shape[1:])
        if autoencoder is not None and autoencoder.image_shape != shape:
            raise ValueError(
                f"images: expected {autoencoder.image_shape}, channels, height and width as the "
                f"autoencoder's; got {shape}"
            )
        if source not in SOURCES:
            raise ValueError(f"source: expected one of {', '.join(SOURCES)}; got {source!r}")
        if autoencoder is None:
            with seeded(generator):
                if shape == (1, SIDE, SIDE):
                    autoencoder = ConvAutoencoder(latent_dim)
                else:
                    autoencoder = ImageAutoencoder(latent_dim, image_shape=shape)
                    autoencoder.start(images)
            train(
                autoencoder,
                own_loss,
                images,
                epochs=epochs,
                **autoencoder.recipe,
                generator=generator,
                checkpoint=checkpoint,
                callback=callback,
                progress=progress,
                label="autoencoder",
            )
        codes = autoencoders.encode_in_batches(autoencoder, images).double().numpy()
        aim = targets(codes)
        with tqdm(desc="transport", unit=" looks", disable=not progress) as bar:

            def show(step):
                bar.set_postfix_str(f"mass error {step.error.value:.3f}, wanted {target_error:g}")
                bar.update()
                if callback is not None:
                    callback(step)

            result = montecarlo.solve(
                source,
                aim.points,
                aim.masses,
                target_error=target_error,
                generator=generator,
                device=device,
                max_seconds=max_seconds,
                callback=show,
                checkpoint=transport_checkpoint,
            )
        probe = draw(source, 4096, aim.points.shape[1], generator).cpu().numpy()
        return cls(
            autoencoder=autoencoder.eval(),
            mean=aim.mean,
            scale=aim.scale,
            source=source,
            extension=extend(
                aim.points, result.heights, probe, threshold=threshold, softness=softness
            ),
            mass_error=result.mass_error,
            mass_error_interval=result.mass_error_interval,
        )

    def generate(self, x: np.ndarray) -> Generated:
        """Move points of the source, (n, latent_dim) float array, and decode them."""
        extended = self.extension.map(x)
        codes = torch.as_tensor(self.mean + self.scale * extended.values, dtype=torch.float32)
        images = autoencoders.decode_in_batches(self.autoencoder, codes)
        return Generated(images=images, codes=codes, source=np.asarray(x), extended=extended)

    def sample(self, n: int, *, generator: torch.Generator) -> Generated:
        """Generate `n` images from independent points of the source."""
        if n < 1:
            raise ValueError(f"n: expected a positive number of images; got {n}")
        d = len(self.mean)
        return self.generate(draw(self.source, n, d, generator).cpu().double().numpy())

    def interpolate(self, start: np.ndarray, end: np.ndarray, n_steps: int = 11) -> Generated:
        """Generate along the straight segment between two points of the source.

        On a flat piece of the polyhedron the images change smoothly; where the segment crosses a
        ridge that the extension cuts, they jump.

        Parameters
        ----------
        start, end : (latent_dim,) float array
            Points of the source.
        n_steps : int
            At least 2, both ends included.

        Returns
        -------
        Generated
        """
        start, end = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
        d = len(self.mean)
        for name, value in (("start", start), ("end", end)):
            if value.shape != (d,) or not np.isfinite(value).all():
                raise ValueError(f"{name}: expected {d} finite numbers; got shape {value.shape}")
        if n_steps < 2:
            raise ValueError(f"n_steps: expected at least 2; got {n_steps}")
        t = np.linspace(0, 1, n_steps)[:, None]
        return self.generate((1 - t) * start + t * end)

    def save(self, path: str | Path) -> None:
        """Write the whole model to one safetensors file, atomically."""
        numbers = {
            "mean": self.mean,
            "scale": self.scale,
            "points": self.extension.points,
            "heights": self.extension.heights,
        }
        tensors = {name: torch.tensor(value) for name, value in numbers.items()}
        for name, value in self.autoencoder.state_dict().items():
            tensors[f"autoencoder.{name}"] = value.contiguous().cpu()
        rest = {
            "source": self.source,
            "threshold": self.extension.threshold,
            "softness": self.extension.softness,
            "n_neighbours": self.extension.n_neighbours,
            "mass_error": self.mass_error,
            "mass_error_interval": list(self.mass_error_interval),
        }
        metadata = {
            "format": _FORMAT,
            "model": json.dumps(rest),
            **autoencoder_files.describe(self.autoencoder),
        }
        content = safetensors.torch.save(tensors, metadata=metadata)
        write_atomically(path, lambda stream: stream.write(content))

    @classmethod
    def load(cls, path: str | Path) -> "AEOMT":
        """Read a model that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged or something else, or its weights do not fit its architecture.
        """
        metadata, tensors = read_tensors(path, _FORMAT)
        try:
            rest = json.loads(metadata["model"])
            arrays = {k: tensors[k].numpy() for k in ("mean", "scale", "points", "heights")}
        except (KeyError, json.JSONDecodeError) as error:
            raise ValueError(f"path: {path} lacks a part of the model: {error}") from error
        prefix = "autoencoder."
        weights = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        return cls(
            autoencoder=autoencoder_files.rebuild(metadata, weights),
            mean=arrays["mean"],
            scale=arrays["scale"],
            source=rest["source"],
            extension=Extension(
                points=arrays["points"],
                heights=arrays["heights"],
                threshold=rest["threshold"],
                softness=rest["softness"],
                n_neighbours=rest["n_neighbours"],
            ),
            mass_error=rest["mass_error"],
            mass_error_interval=tuple(rest["mass_error_interval"]),
        )
