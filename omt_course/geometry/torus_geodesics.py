"""Distances on a torus of revolution, by shooting geodesics in all directions.

With `w = R + r cos(theta)` the metric is `r^2 dtheta^2 + w^2 dphi^2`. A geodesic of unit speed has

    theta'' = -w sin(theta) phi'^2 / r,      phi'' = 2 r sin(theta) theta' phi' / w,

and the distance `J` by which it parts from its neighbour, of a direction turned by a unit angle,
obeys Jacobi's equation `J'' = -K J` with `K = cos(theta) / (r w)`. A fan of geodesics finds every
way to reach a point, Newton's method makes each exact, and the shortest is the distance. Used for
the truth in *Sampling a surface*.
"""

import numpy as np
from scipy.integrate import solve_ivp
from scipy.spatial import cKDTree


def shoot(R: float, r: float, theta: float, direction, length, *, steps: int = 1) -> np.ndarray:
    """Follow geodesics from the point of angles (theta, 0).

    Parameters
    ----------
    R, r : float
        Radii of the core circle and of the tube.
    theta : float
    direction, length : (k,) float arrays
        Angle of each geodesic with the meridian at its start, and its length.
    steps : int
        Number of places on each, evenly spaced; the last one is the end.

    Returns
    -------
    state : (steps, 6, k) float array
        theta, phi, theta', phi', J, J' at each place.

    Examples
    --------
    >>> end = shoot(1.0, 0.5, 0.0, np.array([0.0]), np.array([np.pi / 2]))[-1, :, 0]
    >>> end[:2].round(9).tolist()  # half a turn along the meridian
    [3.141592654, 0.0]
    """
    direction, length = np.asarray(direction, dtype=float), np.asarray(length, dtype=float)
    k = len(direction)
    start = np.zeros((6, k))
    start[0], start[5] = theta, 1.0
    start[2] = np.cos(direction) / r
    start[3] = np.sin(direction) / (R + r * np.cos(theta))

    def field(_, y):
        th, _, dth, dph, J, dJ = y.reshape(6, k)
        w, sine = R + r * np.cos(th), np.sin(th)
        bend = -np.cos(th) / (r * w) * J
        rates = [dth, dph, -w * sine * dph**2 / r, 2 * r * sine * dth * dph / w, dJ, bend]
        return (np.array(rates) * length).ravel()

    times = np.arange(1, steps + 1) / steps
    solved = solve_ivp(field, (0.0, 1.0), start.ravel(), "DOP853", times, rtol=1e-12, atol=1e-13)
    return np.moveaxis(solved.y.reshape(6, k, steps), 2, 0)


def distances(
    R: float, r: float, theta: float, thetas, phis, *, rays: int = 360, places: int = 240
) -> np.ndarray:
    """Return the distances from the point of angles (theta, 0) to points of given angles.

    Parameters
    ----------
    R, r : float
    theta : float
    thetas, phis : (n,) float arrays
    rays, places : int
        Directions of the first fan, and points kept on each of its geodesics.

    Returns
    -------
    (n,) float array, correct to about 1e-10

    Raises
    ------
    RuntimeError
        If no geodesic of the fan leads to some of the points: the fan is too coarse.

    Examples
    --------
    >>> d = distances(1.0, 0.4, 0.0, np.array([1.0, np.pi]), np.array([0.0, 0.0]))
    >>> (d / 0.4).round(9).tolist()  # meridians are shortest paths
    [1.0, 3.141592654]
    """
    thetas, phis = np.asarray(thetas, dtype=float), np.asarray(phis, dtype=float)
    farthest = np.pi * (R + r * np.cos(theta)) + np.pi * r  # round the axis, then along a meridian
    width = 3 * farthest / places
    direction, fan = _fan(R, r, theta, farthest, rays, places, width)
    way = np.repeat(farthest * np.arange(1, places + 1) / places, len(direction))
    ray = np.tile(np.arange(len(direction)), places)
    ends = fan.reshape(-1, 3)
    goals = _embed(R, r, thetas, phis)
    near = np.linalg.norm(goals - _embed(R, r, np.array([theta]), np.zeros(1)), axis=1) < 1e-12

    target, start = _starts(ends, way, ray, goals, width)
    keep = ~near[target]
    target, alpha, length = target[keep], direction[ray[start[keep]]], way[start[keep]]
    for _ in range(8):
        end = shoot(R, r, theta, alpha, length)[0]
        w = R + r * np.cos(end[0])
        off = np.array([r * _turn(thetas[target] - end[0]), w * _turn(phis[target] - end[1])])
        along = np.array([r * end[2], w * end[3]])  # unit tangent; its normal is turned by 90
        across = np.array([-along[1], along[0]])
        step = np.clip((off * across).sum(axis=0) / _away(end[4]), -0.05, 0.05)
        alpha = alpha + step
        length = np.clip(length + (off * along).sum(axis=0), 1e-9, 1.2 * farthest)
    end = shoot(R, r, theta, alpha, length)[0]
    w = R + r * np.cos(end[0])
    off = np.hypot(r * _turn(thetas[target] - end[0]), w * _turn(phis[target] - end[1]))
    found = np.full(len(goals), np.inf)
    found[near] = 0.0
    good = off < 1e-9
    np.minimum.at(found, target[good], length[good])
    if np.isinf(found).any():
        raise RuntimeError(
            f"rays: expected a fan that leads to every point, got {np.isinf(found).sum()} of "
            f"{len(found)} not reached by {rays} geodesics"
        )
    return found


def _fan(R, r, theta, farthest, rays, places, width):
    """Return directions, (k,), and places on the geodesics, (places, k, 3), without wide gaps.

    Where neighbours part by more than `width`, as they do behind the saddle of the hole, a geodesic
    is put between them.
    """
    direction, fan = np.empty(0), np.empty((places, 0, 3))
    new = 2 * np.pi * np.arange(rays) / rays
    for _ in range(8):
        state = shoot(R, r, theta, new, np.full(len(new), farthest), steps=places)
        more = [_embed(R, r, *one[:2]) for one in state]
        order = np.argsort(np.concatenate([direction, new]))
        direction = np.concatenate([direction, new])[order]
        fan = np.concatenate([fan, more], axis=1)[:, order]
        gap = np.linalg.norm(np.roll(fan, -1, axis=1) - fan, axis=2).max(axis=0)
        wide = gap > width
        if not wide.any():
            break
        after = np.roll(direction, -1)
        after[-1] += 2 * np.pi
        new = (direction[wide] + after[wide]) / 2
    return direction, fan


def _starts(ends, way, ray, goals, width):
    """Return pairs (goal, place on the fan): the nearest place of every bundle of rays near a goal.

    A bundle is a range of directions and of lengths. Bundles much longer than the shortest one are
    left out: they cannot lead to the shortest path.
    """
    lists = cKDTree(ends).query_ball_point(goals, width)
    target = np.repeat(np.arange(len(goals)), [len(found) for found in lists])
    place = np.concatenate([np.asarray(found, dtype=int) for found in lists])
    shortest = np.full(len(goals), np.inf)
    np.minimum.at(shortest, target, way[place])
    keep = way[place] <= shortest[target] + 2 * width
    target, place = target[keep], place[keep]
    far = np.linalg.norm(ends[place] - goals[target], axis=1)
    order = np.argsort(far, kind="stable")
    bundle = np.column_stack([target, ray[place] // 8, way[place] // (2 * width)])
    _, first = np.unique(bundle[order], axis=0, return_index=True)
    kept = order[first]
    return target[kept], place[kept]


def _embed(R, r, theta, phi):
    w = R + r * np.cos(theta)
    return np.column_stack([w * np.cos(phi), w * np.sin(phi), r * np.sin(theta)])


def _turn(angle):
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _away(J):
    """Keep the divisor away from zero, where geodesics meet again."""
    return np.where(np.abs(J) < 1e-3, np.copysign(1e-3, J), J)
