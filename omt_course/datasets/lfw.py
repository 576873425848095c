"""Labeled Faces in the Wild, through scikit-learn: 13,233 photographs of 5,749 people.

For research; the course passes none of them on. Used in *AE-OMT on faces*.
"""

import numpy as np
from sklearn.datasets import fetch_lfw_people
from tqdm import tqdm

from omt_course.datasets import registry
from omt_course.datasets.image_folder import Pictures, check_limit

CROP = slice(61, 189)  # of 250 pixels, both ways: from the forehead to the chin
SIZE = 64


def load(*, limit: int | None = None, download: bool = False, progress: bool = True) -> Pictures:
    """Load the funneled faces: the central 128 x 128 pixels, halved.

    Parameters
    ----------
    limit : int, optional
        Keep the first so many, in scikit-learn's order.
    download : bool
        Fetch the 230 MB, if they are not in the cache folder.
    progress : bool
        Show on stderr that files are read: a minute the first time.

    Returns
    -------
    pictures : Pictures
        With (n, 64, 64, 3) `images`; `names` are the people's.

    Raises
    ------
    ValueError
        If `limit` is no number of images.
    omt_course.datasets.registry.DataUnavailableError
        If the files are not in `lfw_home` of the cache folder and may not or cannot be fetched.

    Notes
    -----
    Source: Huang, Ramesh, Berg, Learned-Miller, University of Massachusetts, report 07-49, 2007.
    """
    limit = check_limit(limit)
    folder = registry.cache_folder()
    if not (folder / "lfw_home").is_dir():
        folder = registry.writable_folder() or folder
    with tqdm(total=1, desc="LFW", unit="set", disable=not progress) as bar:
        try:
            found = fetch_lfw_people(
                data_home=str(folder),
                color=True,
                resize=SIZE / (CROP.stop - CROP.start),
                slice_=(CROP, CROP),
                download_if_missing=download,
            )
        except OSError as error:
            raise registry.DataUnavailableError(
                f"LFW is not in {folder / 'lfw_home'} ({error}): go online and run "
                'python -c "from omt_course.datasets import lfw; lfw.load(download=True)"'
            ) from error
        bar.update()
    images = np.round(255 * found.images[:limit]).astype(np.uint8)
    names = tuple(str(found.target_names[k]) for k in found.target[:limit])
    return Pictures(images, names, "LFW, funneled: Huang et al. 2007; research use only")
