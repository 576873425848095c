"""Where the data files that come with the package lie: in the clone, or beside the installation."""

import sysconfig
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]


def folders():
    """Return the folders that may hold shipped data: the clone's if this is one, the package's.

    Returns
    -------
    folders : list of pathlib.Path

    Examples
    --------
    >>> folders()[-1].parts[-2:]
    ('share', 'omt_course')
    """
    clone = [_REPOSITORY / "data"] if (_REPOSITORY / "pyproject.toml").exists() else []
    return [*clone, Path(sysconfig.get_path("data"), "share", "omt_course")]


def path(*parts):
    """Return the path of a file of ``data/``.

    A clone has it in ``data/``; an installed package in ``share/omt_course``.

    Parameters
    ----------
    *parts : str
        Folders and name below ``data/``.

    Returns
    -------
    path : pathlib.Path

    Raises
    ------
    FileNotFoundError
        That names the places that were looked at.

    Examples
    --------
    >>> path("surfaces", "face.npz").name
    'face.npz'
    """
    places = [folder.joinpath(*parts) for folder in folders()]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(
        f"{'/'.join(parts)} came with omt_course but is in none of {', '.join(map(str, places))}: "
        "install the package again"
    )
