"""Generators of digits and of clothes side by side: five seeds, one judge for each set.

Protocol. Each seed draws 10,000 of the 60,000 training images; every model learns from these. The
autoencoder, the variational autoencoder and the generator of the GAN have the same layers. All laws
of codes (transport with and without the cut, normal laws, the continuous map) live in the latent
space of one autoencoder a seed and share its decoder. The judge is a LeNet trained on all 60,000
images, one for each set, the same for all models and seeds; Frechet distance, precision, recall,
density and coverage are taken in its 64 features, against the 10,000 test images. Models make
10,000 images each. Training seconds are CPU seconds on one thread; those of a law of codes come on
top of the autoencoder's.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from omt_course.course import records
from omt_course.datasets import digits
from omt_course.files import write_atomically
from omt_course.models import autoencoder as autoencoders
from omt_course.models import metrics, wasserstein_gan
from omt_course.models.aeomt import AEOMT
from omt_course.models.autoencoder import RECIPE, ConvAutoencoder, cross_entropy
from omt_course.models.baselines import Decoded, fit_map, fit_mixture
from omt_course.models.coverage import compare_supports
from omt_course.models.image_gan import Generator, fit_image_gan
from omt_course.models.modes import count_modes
from omt_course.models.training import train
from omt_course.models.vae import ConvVAE, fit_vae
from omt_course.transport.counting import draw

DATASETS = ("mnist", "fashion-mnist")
SEEDS = (0, 1, 2, 3, 4)
LATENT_DIM = 16
DIMENSIONS = (4, 8, 16, 32)  # of the study with one seed
LIMIT = 10_000
EPOCHS = 10
JUDGE_EPOCHS = 4
GAN_STEPS = 800
MAP_EPOCHS = 40
TARGET_ERROR = 0.08
N_SAMPLES = 10_000
N_SUPPORT = 5000  # rows of each set for precision, recall, density, coverage
N_MEMORY = 2000  # samples compared with the training images, pixel by pixel
SHEET = 32
THRESHOLDS = (0.3, 0.45, 0.6, 0.75, 0.9, 1.05, 1.2, float(np.pi))
N_SWEEP = 5000  # samples at each point of the sweep
MODELS = (
    "training images",
    "reconstructions",
    "AE-OMT",
    "transport, no cut",
    "continuous map",
    "50 normal laws",
    "10 normal laws",
    "normal law",
    "VAE",
    "WGAN-GP",
)
OF_DIMENSION = ("reconstructions", "AE-OMT", "transport, no cut")


@dataclass(frozen=True)
class Judge:
    """A trained classifier, what it makes of the test images, and how often it reads them right."""

    network: metrics.LeNet
    real: metrics.Features
    accuracy: float
    ambiguous: float


def generator(*numbers: int) -> torch.Generator:
    """Return a generator of its own for every purpose."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    return torch.Generator().manual_seed(seed)


def kept(path: Path, make) -> tuple[dict, dict]:
    """Return the state dict that `make` returns, and its note; made once, then read from disk."""
    note = path.with_suffix(".json")
    if not path.exists():
        cpu, wall = time.process_time(), time.perf_counter()
        state, extra = make()
        seconds = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        write_atomically(note, lambda stream: stream.write(json.dumps(seconds | extra).encode()))
        write_atomically(path, lambda stream: torch.save(state, stream))
    return torch.load(path, weights_only=True), json.loads(note.read_text())


def make_judge(dataset: str, work: Path) -> Judge:
    """Train the judge of a set, or read it."""

    def make():
        data = digits.load(dataset, split="train")
        network = metrics.train_classifier(
            data.images,
            data.labels,
            generator=torch.Generator().manual_seed(1),
            epochs=JUDGE_EPOCHS,
        )
        return network.state_dict(), {"name": network.name}

    state, note = kept(work / f"{dataset}-judge.pt", make)
    network = metrics.LeNet(name=note["name"])
    network.load_state_dict(state)
    network.eval()
    test = digits.load(dataset, split="test")
    found = metrics.probabilities(network, test.images)
    return Judge(
        network,
        metrics.features(network, test.images),
        float((found.argmax(axis=1) == test.labels).mean()),
        metrics.ambiguous_share(found),
    )


class Run:
    """One set, one seed, one latent dimension: the images and the models that share them."""

    def __init__(self, dataset, seed, *, dim, limit, work, judge):
        data = digits.load(dataset, split="train")
        chosen = np.random.default_rng(seed).permutation(len(data))[:limit]
        self.images = torch.as_tensor(data.floats[chosen])  # (limit, 1, 28, 28)
        self.dataset, self.seed, self.dim, self.limit = dataset, seed, dim, limit
        self.work, self.folder = work, work / f"{dataset}-{limit}-{seed}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.judge = judge
        self.twin = None

    def autoencoder(self) -> tuple[ConvAutoencoder, float]:
        """Return the autoencoder of this run and its CPU seconds."""

        def make():
            chance = torch.Generator().manual_seed(1000 + self.seed)
            network = ConvAutoencoder(self.dim, generator=chance)
            history = train(
                network,
                cross_entropy,
                self.images,
                epochs=EPOCHS,
                **RECIPE,
                generator=chance,
                progress=False,
            )
            return network.state_dict(), {"loss": history.train_loss[-1]}

        state, note = kept(self.folder / f"autoencoder-{self.dim}.pt", make)
        network = ConvAutoencoder(self.dim)
        network.load_state_dict(state)
        return network.eval(), note["cpu"]

    def aeomt(self) -> tuple[AEOMT, float]:
        """Return the transport onto the codes of this run and its CPU seconds."""
        path = self.folder / f"aeomt-{self.dim}.safetensors"
        note = path.with_suffix(".json")
        if not path.exists():
            network, _ = self.autoencoder()
            cpu = time.process_time()
            model = AEOMT.fit(
                self.images,
                autoencoder=network,
                generator=generator(self.seed, 1),
                target_error=TARGET_ERROR,
                progress=False,
            )
            note.write_text(json.dumps({"cpu": time.process_time() - cpu}))
            model.save(path)
        return AEOMT.load(path), json.loads(note.read_text())["cpu"]

    def codes(self) -> np.ndarray:
        """Return the codes of the training images, (limit, dim)."""
        network, _ = self.autoencoder()
        return autoencoders.encode_in_batches(network, self.images).double().numpy()

    def make(self, name: str) -> tuple[torch.Tensor, float, dict]:
        """Return 10,000 images of a model, CPU seconds of its training, and what else to note."""
        chance = generator(self.seed, 2)
        if name == "training images":
            return self.images[:N_SAMPLES], 0.0, {}
        if name == "VAE":

            def make():
                model = fit_vae(
                    self.images,
                    generator=generator(self.seed, 3),
                    latent_dim=self.dim,
                    epochs=EPOCHS,
                    progress=False,
                )
                return model.state_dict(), {}

            state, note = kept(self.folder / "vae.pt", make)
            model = ConvVAE(self.dim)
            model.load_state_dict(state)
            model.eval()
            return model.sample(N_SAMPLES, generator=chance), note["cpu"], {"n": size(model)}
        if name == "WGAN-GP":

            def make():
                model = fit_image_gan(
                    self.images,
                    generator=generator(self.seed, 4),
                    latent_dim=self.dim,
                    steps=GAN_STEPS,
                    progress=False,
                )
                return model.network.state_dict(), {"n_critic": size(model.critic)}

            state, note = kept(self.folder / "wgan.pt", make)
            network = Generator(self.dim)
            network.load_state_dict(state)
            network.eval()
            made = wasserstein_gan.sample(network, N_SAMPLES, latent_dim=self.dim, generator=chance)
            seconds = note["cpu"]
            return made, seconds, {"n": size(network), "n_critic": note["n_critic"]}
        network, base = self.autoencoder()
        note = {"n": size(network)}
        if name == "reconstructions":
            made = autoencoders.decode_in_batches(
                network, autoencoders.encode_in_batches(network, self.images[:N_SAMPLES])
            )
            return made, base, note
        if name in ("AE-OMT", "transport, no cut"):
            model, seconds = self.aeomt()
            note |= {"mass_error": model.mass_error, "threshold": model.extension.threshold}
            if name != "AE-OMT":
                model = replace(model, extension=replace(model.extension, threshold=np.pi))
            made = model.sample(N_SAMPLES, generator=chance)
            note |= {"mixed": float(made.extended.n_used.mean())}
            return made.images, base + seconds, note
        codes, cpu = self.codes(), time.process_time()
        if name == "continuous map":
            law = fit_map(
                codes,
                generator=generator(self.seed, 5),
                epochs=MAP_EPOCHS,
                progress=False,
            )
            note |= {"n_map": size(law.network)}
        else:
            first = name.split()[0]
            law = fit_mixture(
                codes, int(first) if first.isdigit() else 1, generator=generator(self.seed, 6)
            )
        seconds = base + time.process_time() - cpu
        return Decoded(law, network).sample(N_SAMPLES, generator=chance), seconds, note

    def score(self, made: torch.Tensor) -> dict:
        """Return all measures of generated images."""
        judge = self.judge
        features, found = judged(judge.network, made)
        supports = compare_supports(judge.real.values[:N_SUPPORT], features.values[:N_SUPPORT])
        modes = count_modes(found)
        training = self.images.flatten(1)
        if self.twin is None:
            some = metrics.nearest_distances(training[:10_000])
            self.twin = float(np.median(some))
        return {
            "frechet": metrics.frechet_distance(features, judge.real).value,
            "precision": supports.precision,
            "recall": supports.recall,
            "density": supports.density,
            "coverage": supports.coverage,
            "ambiguous": metrics.ambiguous_share(found),
            "smallest": modes.smallest,
            "faded": modes.n_faded,
            "memorised": metrics.memorised_share(
                made[:N_MEMORY].flatten(1), training[:10_000], threshold=self.twin
            ),
        }

    def sweep(self) -> dict:
        """Return three measures against the angle of the cut."""
        model, _ = self.aeomt()
        x = draw(model.source, N_SWEEP, self.dim, generator(self.seed, 7)).double().numpy()
        found = []
        for theta in THRESHOLDS:
            extension = replace(model.extension, threshold=theta)
            made = replace(model, extension=extension).generate(x)
            mixed = float(made.extended.n_used.mean())
            found.append(self._measures(made.images) | {"mixed": mixed})
        network, _ = self.autoencoder()
        codes = autoencoders.encode_in_batches(network, self.images[:N_SWEEP])
        floor = autoencoders.decode_in_batches(network, codes)
        return {"threshold": found, "floor": self._measures(floor)}

    def _measures(self, images):
        features, p = judged(self.judge.network, images)
        return {
            "frechet": metrics.frechet_distance(features, self.judge.real).value,
            "ambiguous": metrics.ambiguous_share(p),
            "smallest": float(metrics.class_shares(p).min()),
        }


@torch.no_grad()
def judged(network: metrics.LeNet, images: torch.Tensor) -> tuple[metrics.Features, np.ndarray]:
    """Return features and class probabilities of images, in one pass."""
    features = metrics.features(network, images)
    logits = network.head(torch.as_tensor(features.values, dtype=torch.float32))
    return features, torch.softmax(logits.double(), 1).numpy()


def size(network: torch.nn.Module) -> int:
    """Return the number of parameters."""
    return sum(p.numel() for p in network.parameters())


def do_rows(run: Run, names: list[str]) -> None:
    """Score the named models of a run, a file for each; what is on disk is not done again."""
    for name in names:
        path = row_path(run.work, run.dataset, run.limit, run.seed, run.dim, name)
        if path.exists():
            continue
        began = time.perf_counter()
        if name == "sweep":
            row = run.sweep()
        else:
            made, seconds, note = run.make(name)
            row = run.score(made) | {"seconds": seconds} | note
            if run.dim == LATENT_DIM:
                sheet = torch.round(255 * made[:SHEET, 0]).to(torch.uint8).numpy()
                np.save(run.folder / f"sheet-{slug(name)}.npy", sheet)
        content = json.dumps(row, indent=1).encode()
        write_atomically(path, lambda stream, content=content: stream.write(content))
        shown = {k: round(v, 3) for k, v in row.items() if isinstance(v, float)}
        wall = time.perf_counter() - began
        print(f"{run.dataset} {run.seed} d={run.dim} {name}: {wall:.0f} s {shown}", flush=True)


def row_path(work: Path, dataset: str, limit: int, seed: int, dim: int, name: str) -> Path:
    """Return where a row is kept."""
    return work / f"{dataset}-{limit}-{seed}" / f"row-{dim}-{slug(name)}.json"


def read_row(work: Path, dataset: str, limit: int, seed: int, dim: int, name: str) -> dict:
    """Return a row that is on disk."""
    return json.loads(row_path(work, dataset, limit, seed, dim, name).read_text())


def assemble(work: Path, datasets, seeds, *, limit) -> dict:
    """Gather the parts on disk into the values of the record."""
    values = {
        "n_images": limit,
        "n_samples": N_SAMPLES,
        "n_support": N_SUPPORT,
        "n_memory": N_MEMORY,
        "latent_dim": LATENT_DIM,
        "epochs": EPOCHS,
        "gan_steps": GAN_STEPS,
        "target_error": TARGET_ERROR,
        "thresholds": list(THRESHOLDS),
        "dimensions": list(DIMENSIONS),
        "models": list(MODELS),
        "judges": {},
        "rows": {},
        "sweep": {},
        "by_dimension": {},
    }
    for dataset in datasets:
        judge = make_judge(dataset, work)
        values["judges"][dataset] = {
            "features": judge.real.name,
            "accuracy": judge.accuracy,
            "ambiguous": judge.ambiguous,
        }
        values["rows"][dataset] = {}
        for name in MODELS:
            done = [
                s for s in seeds if row_path(work, dataset, limit, s, LATENT_DIM, name).exists()
            ]
            rows = [read_row(work, dataset, limit, s, LATENT_DIM, name) for s in done]
            values["rows"][dataset][name] = {"seeds": done} | {
                key: [round(float(row[key]), 5) for row in rows] for key in rows[0]
            }
        values["sweep"][dataset] = [
            read_row(work, dataset, limit, s, LATENT_DIM, "sweep") for s in seeds
        ]
        values["by_dimension"][dataset] = {
            str(dim): {
                name: read_row(work, dataset, limit, seeds[0], dim, name) for name in OF_DIMENSION
            }
            for dim in DIMENSIONS
            if row_path(work, dataset, limit, seeds[0], dim, OF_DIMENSION[-1]).exists()
        }
        slugs = [slug(name) for name in MODELS]
        sheets = [np.load(work / f"{dataset}-{limit}-{seeds[0]}/sheet-{s}.npy") for s in slugs]
        values[f"sheets_{dataset.replace('-', '_')}"] = np.stack(sheets)
    return values


def show(values: dict) -> None:
    """Print the table, mean and standard deviation over the seeds."""
    columns = ("frechet", "precision", "recall", "density", "coverage", "ambiguous", "smallest")
    columns += ("memorised", "seconds")
    for dataset, rows in values["rows"].items():
        judge = values["judges"][dataset]
        print(f"\n{dataset}: {judge['features']}, accuracy {judge['accuracy']:.4f}\n")
        print("| model | " + " | ".join(columns) + " |\n|---" * 1 + "|---" * len(columns) + "|")
        for name, row in rows.items():
            cells = [f"{np.mean(row[c]):.3f} ({np.std(row[c], ddof=1):.3f})" for c in columns]
            print(f"| {name} | " + " | ".join(cells) + " |")


def slug(name: str) -> str:
    """Return a name as part of a file name."""
    return name.lower().replace(",", "").replace(" ", "-")


def main() -> None:
    """Run what is asked for and is not on disk yet; with --record, write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", nargs="+", choices=DATASETS, default=list(DATASETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--limit", type=int, default=LIMIT, help="training images")
    parser.add_argument("--models", nargs="+", default=[*MODELS, "sweep"])
    parser.add_argument("--dims", nargs="+", type=int, default=[LATENT_DIM])
    parser.add_argument("--work", type=Path, default=Path("digits-generation"))
    parser.add_argument("--record", action="store_true", help="only gather, print and write")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.record:
        values = assemble(chosen.work, chosen.dataset, chosen.seeds, limit=chosen.limit)
        show(values)
        records.write(
            "digits-generation",
            values,
            command=" && ".join(
                f"python benchmarks/digits_generation.py{rest}"
                for rest in ("", " --seeds 0 --dims 4 8 32", " --record")
            ),
            seeds=chosen.seeds,
        )
        return
    print(__doc__)
    judges = {dataset: make_judge(dataset, chosen.work) for dataset in chosen.dataset}
    for seed in chosen.seeds:
        for dataset in chosen.dataset:
            for dim in chosen.dims:
                names = chosen.models if dim == LATENT_DIM else OF_DIMENSION
                run = Run(
                    dataset,
                    seed,
                    dim=dim,
                    limit=chosen.limit,
                    work=chosen.work,
                    judge=judges[dataset],
                )
                do_rows(run, names)


if __name__ == "__main__":
    main()
