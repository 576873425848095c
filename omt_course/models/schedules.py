"""Learning rates over a training run."""

import math

_WARM_UP = 0.05  # share of the steps in which the cosine schedule rises
_FLOOR = 0.02  # what it falls to, relative to lr


def rate_at(lr, schedule, first_step, total, k=0):
    """Return the learning rate of step ``first_step + k`` of ``total``.

    Constant, or a cosine: it rises over the first 5 % of the steps to ``lr``, then falls to 2 % of
    it.

    Parameters
    ----------
    lr : float
        Peak learning rate.
    schedule : {"cosine", "constant"}
    first_step, total, k : int
        Steps before this epoch, of the whole run, and into this epoch.

    Returns
    -------
    rate : float

    Notes
    -----
    Source: Loshchilov, Hutter, ICLR 2017. Taught on the page ``ae-omt-mnist``.

    Examples
    --------
    >>> [round(rate_at(1.0, "cosine", step, 100), 3) for step in (0, 4, 5, 99)]
    [0.2, 1.0, 1.0, 0.02]
    """
    if schedule == "constant":
        return lr
    step = first_step + k
    warm_up = max(1, round(_WARM_UP * total))
    if step < warm_up:
        return lr * (step + 1) / warm_up
    progress = (step - warm_up) / max(1, total - warm_up)
    return lr * (_FLOOR + (1 - _FLOOR) * 0.5 * (1 + math.cos(math.pi * progress)))
