"""What can be fetched: collections of files, with their addresses, checksums and licences."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RemoteFile:
    """One file: upstream name, SHA-256 digest, size in bytes (None where it is not known)."""

    name: str
    sha256: str
    size: int | None = None


@dataclass(frozen=True)
class Collection:
    """Files of one origin and licence, kept in one folder of the cache."""

    name: str
    folder: str
    origin: str
    licence: str
    mirrors: tuple[str, ...]
    files: tuple[RemoteFile, ...]

    def file(self, name):
        """Return the file called ``name``."""
        for file in self.files:
            if file.name == name:
                return file
        known = ", ".join(file.name for file in self.files)
        raise ValueError(f"name: expected one of {known}; got {name!r}")


_MNIST = Collection(
    name="mnist",
    folder="mnist",
    origin="Y. LeCun, C. Cortes, C. J. C. Burges: the MNIST database of handwritten digits",
    licence="CC BY-SA 3.0",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    files=(
        RemoteFile(
            "train-images-idx3-ubyte.gz",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            9912422,
        ),
        RemoteFile(
            "train-labels-idx1-ubyte.gz",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            28881,
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte.gz",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            1648877,
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte.gz",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            4542,
        ),
    ),
)

_FASHION = Collection(
    name="fashion-mnist",
    folder="fashion_mnist",
    origin="H. Xiao, K. Rasul, R. Vollgraf (Zalando): Fashion-MNIST",
    licence="MIT",
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    files=(
        RemoteFile(
            "train-images-idx3-ubyte.gz",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            26421880,
        ),
        RemoteFile(
            "train-labels-idx1-ubyte.gz",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            29515,
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte.gz",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            4422102,
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte.gz",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            5148,
        ),
    ),
)

_BUDDHA = Collection(
    name="buddha",
    folder="meshes",
    origin="the coloured Buddha head of the repository k2cu8/buddhaAE, a topological disk",
    licence="none stated: to look at, not to pass on",
    mirrors=(
        "https://raw.githubusercontent.com/k2cu8/buddhaAE/"
        "ed377ec7ea7bdabf06c6e9b86672db98300c03e0/",
    ),
    files=(
        RemoteFile(
            "buddha_head_rgb.obj",
            "0e8a0298a7bf6fe2bc0f832a4011438577e2c765204a104f6fe6e55161e2e90b",
        ),
    ),
)

_NEFERTITI = Collection(
    name="nefertiti",
    folder="meshes",
    origin="N. Al-Badri, J. N. Nelles: scan of the bust of Nefertiti, 2016; common-3d-test-models",
    licence="public domain",
    mirrors=(
        "https://raw.githubusercontent.com/alecjacobson/common-3d-test-models/"
        "8a4f8642acaf43f9cd7b67858a1502e1055ef202/data/",
    ),
    files=(
        RemoteFile(
            "nefertiti.obj",
            "19e39748b145092878cc4faafd050505eb5991c5d3e497be2b4575673fa87968",
        ),
    ),
)

REGISTRY = {collection.name: collection for collection in (_MNIST, _FASHION, _BUDDHA, _NEFERTITI)}
