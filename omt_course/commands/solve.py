"""The command ``omt solve``: exact semi-discrete transport from files to a file."""

import csv
import sys
from pathlib import Path

from omt_course.commands import CommandError, add_command, output, positive


def add(commands):
    """Add ``solve`` to the commands."""
    solve = add_command(
        commands,
        "solve",
        _solve,
        "transport the uniform density on a convex domain onto the points of a CSV file",
    )
    solve.add_argument(
        "points", type=Path, metavar="POINTS.csv", help="columns x and y; x, y and z in space"
    )
    solve.add_argument(
        "--out",
        type=output(".npz"),
        required=True,
        metavar="FILE.npz",
        help="points, masses, heights, cell_masses, centroids, w2_squared, lower, upper, "
        "dual_value, max_relative_error, n_iter, converged",
    )
    domain = solve.add_mutually_exclusive_group()
    domain.add_argument(
        "--box",
        type=float,
        nargs="+",
        default=(0.0, 0.0, 1.0, 1.0),
        metavar="X",
        help="opposite corners, X0 Y0 X1 Y1 or, in space, X0 Y0 Z0 X1 Y1 Z1 "
        "(default: the unit square)",
    )
    domain.add_argument("--disk", type=float, metavar="RADIUS", help="centred at the origin")
    domain.add_argument(
        "--polygon", type=Path, metavar="CORNERS.csv", help="convex, one corner a line"
    )
    masses = solve.add_mutually_exclusive_group()
    masses.add_argument("--masses", type=Path, metavar="MASSES.csv", help="one mass a line")
    masses.add_argument(
        "--mass-column", metavar="COLUMN", help="name or number (from 1) of a column of POINTS.csv"
    )
    solve.add_argument(
        "--tol", type=float, default=1e-10, help="relative error of a mass (default: %(default)s)"
    )
    solve.add_argument(
        "--max-iter", type=positive, default=200, help="Newton steps (default: %(default)s)"
    )


def _solve(options):
    import numpy as np

    from omt_course.files import write_atomically
    from omt_course.transport.domains import Box, Polygon, disk
    from omt_course.transport.semidiscrete import solve

    if len(options.box) not in (4, 6):
        raise CommandError(f"--box: expected 4 or 6 numbers; got {len(options.box)}")
    d = 2 if options.polygon or options.disk is not None else len(options.box) // 2
    points, masses = _read_points(options.points, options.mass_column, d)
    if options.masses:
        masses = _read_columns(options.masses, 1)[1][:, 0]
    if options.polygon:
        domain = Polygon(_read_columns(options.polygon, 2)[1])
    elif options.disk is not None:
        domain = disk(options.disk)
    else:
        domain = Box(options.box[:d], options.box[d:])

    def report(step, heights, diagram):
        print(
            f"step {step.iteration:3d}  relative error {step.max_relative_error:.3e}",
            file=sys.stderr,
        )

    result = solve(
        domain, points, masses, tol=options.tol, max_iter=options.max_iter, callback=report
    )
    names = "points masses heights cell_masses centroids w2_squared dual_value".split()
    names += ["max_relative_error", "n_iter", "converged"]
    arrays = {name: getattr(result, name) for name in names}
    arrays |= {"lower": result.bracket.lower, "upper": result.bracket.upper}
    write_atomically(options.out, lambda stream: np.savez_compressed(stream, **arrays))
    print(f"W2^2 = {result.w2_squared:.12g}")
    print(f"between {result.bracket.lower:.15g} and {result.bracket.upper:.15g}")
    print(f"max relative error = {result.max_relative_error:.3g} after {result.n_iter} steps")
    print(f"written: {options.out}")


def _read_points(path, mass_column, d):
    """Return (n, d) points, and the masses of the column named, or None."""
    if mass_column is None:
        return _read_columns(path, d)[1], None
    header, table = _read_columns(path, d + 1)
    names = [*header, *(str(k + 1) for k in range(d + 1))]
    if mass_column not in names:
        raise CommandError(f"--mass-column: expected one of {', '.join(names)}; got {mass_column}")
    column = names.index(mass_column) % (d + 1)
    return table[:, [k for k in range(d + 1) if k != column]], table[:, column]


def _read_columns(path, n_columns):
    """Read a CSV file of numbers, its first line a header or not: header, (n, n_columns) array."""
    import numpy as np

    header, rows = [], []
    with open(path, newline="", encoding="utf-8-sig") as stream:
        for number, cells in enumerate(csv.reader(stream), start=1):
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != n_columns:
                raise CommandError(
                    f"{path}, line {number}: expected {n_columns} columns; got {len(cells)}"
                )
            try:
                rows.append([float(cell) for cell in cells])
            except ValueError:
                if rows or header:
                    raise CommandError(
                        f"{path}, line {number}: expected numbers; got {','.join(cells)!r}"
                    ) from None
                header = [cell.strip() for cell in cells]
    if not rows:
        raise CommandError(f"{path}: expected at least one line of numbers; got none")
    return header, np.array(rows)
