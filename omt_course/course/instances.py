"""Fresh random instances for hidden tests: the same for a whole course, new for every course."""

import hashlib
import os

import numpy as np

KEY = "OMT_COURSE_KEY"


def fresh(name: str) -> np.random.Generator:
    """Return a random generator seeded by the course's key (`OMT_COURSE_KEY`) and a test's name.

    Every submission of a course meets the same instances, so grading twice gives the same grades;
    the next course, with another key, meets others. Whoever reads a hidden test learns what is
    asked, never the answer.

    Parameters
    ----------
    name : str
        Unique among the tests of a course, such as ``"ps1-2-test-plan"``.

    Raises
    ------
    ValueError
        If `name` is empty.
    RuntimeError
        If the key is not set.

    Examples
    --------
    >>> import os
    >>> os.environ["OMT_COURSE_KEY"] = "spring"
    >>> fresh("ps1-1").random() == fresh("ps1-1").random() != fresh("ps1-2").random()
    True
    >>> del os.environ["OMT_COURSE_KEY"]
    """
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"name: expected a name that is not empty, got {name!r}")
    key = os.environ.get(KEY, "")
    if not key:
        raise RuntimeError(f"{KEY} is not set: hidden tests need the key of the course")
    digest = hashlib.sha256(f"{key}\n{name}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
