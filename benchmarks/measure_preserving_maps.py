"""Measure-preserving maps of faces and statues: cells, stretch, folds, uniformity, time.

The shipped face, and every mesh of the cache that is named. For each: the conformal map; exact
transport of the uniform disk to its vertices; centroids; areas matched. Uniformity is Pearson's
chi-square test on 100,000 uniform points of the map's image, pulled back to the surface, in 200
patches, before (conformal) and after. Times are CPU seconds of one core, after a first call that
compiles.

    OMT_COURSE_DATA=... python benchmarks/measure_preserving_maps.py --surfaces face NAME ...
"""

import argparse
import os
import time

import numpy as np

from omt_course.course import records
from omt_course.datasets import surfaces
from omt_course.geometry import disk_maps, measure_preserving, meshes, uniformity

N_SAMPLES, N_PATCHES, SEED = 100_000, 200, 11
AREA_TOL = 0.01


def uniform_in_disk(n, rng):
    """Return n uniform points of the unit disk, an (n, 2) array."""
    radius, turn = np.sqrt(rng.random(n)), 2 * np.pi * rng.random(n)
    return np.column_stack([radius * np.cos(turn), radius * np.sin(turn)])


def test(V, F, uv, patch, rng):
    """Return the test's verdict on the samples that fall on the image, and the share that do."""
    _, triangle = measure_preserving.pull_back(V, F, uv, uniform_in_disk(N_SAMPLES, rng))
    hit = triangle[triangle >= 0]
    return uniformity.chi_square(hit, meshes.triangle_areas(V, F), patch), len(hit) / N_SAMPLES


def measure(name):
    """Return a row of the table for one surface."""
    surface = surfaces.load(name)
    V, F = surface.V, surface.F
    rng = np.random.default_rng(SEED)
    start_time = time.process_time()
    start = disk_maps.conformal(V, F)
    conformal_time = time.process_time()
    transport = measure_preserving.transport_to_vertices(V, F, start, tol=1e-8)
    centroids = transport.centroids
    transport_time = time.process_time()
    matching = measure_preserving.match_areas(V, F, centroids, tol=AREA_TOL, strict=False)
    end_time = time.process_time()
    uv = matching.uv
    stretch = disk_maps.area_stretch(V, F, uv)
    patch = uniformity.patches(V, F, N_PATCHES, rng=rng)
    before, _ = test(V, F, start, patch, rng)
    after, share = test(V, F, uv, patch, rng)
    folds = disk_maps.area_stretch(V, F, centroids) <= 0
    return {
        "surface": name,
        "vertices": len(V),
        "triangles": len(F),
        "cell_mass_error": float(f"{transport.max_relative_error:.2g}"),
        "conformal_stretch_std": round(float(disk_maps.area_stretch(V, F, start).std()), 4),
        "conformal_angle": round(float(disk_maps.angle_distortion(V, F, start).mean()), 3),
        "conformal_folds": int((meshes.signed_areas(start, F) <= 0).sum()),
        "centroid_stretch_std": round(float(disk_maps.area_stretch(V, F, centroids).std()), 4),
        "centroid_folds": int(folds.sum()),
        "stretch_mean": round(float(stretch.mean()), 5),
        "stretch_std": round(float(stretch.std()), 5),
        "folds": int((stretch <= 0).sum()),
        "stretch_min": round(float(stretch.min()), 4),
        "steps": len(matching.history) - 1,
        "converged": matching.converged,
        "angle": round(float(disk_maps.angle_distortion(V, F, uv).mean()), 2),
        "chi2_before": round(before.statistic, 1),
        "p_before": float(f"{before.p_value:.2g}"),
        "chi2_after": round(after.statistic, 1),
        "p_after": float(f"{after.p_value:.2g}"),
        "degrees_of_freedom": after.degrees_of_freedom,
        "share_on_image": round(share, 5),
        "conformal_seconds": round(conformal_time - start_time, 2),
        "transport_seconds": round(transport_time - conformal_time, 2),
        "matching_seconds": round(end_time - transport_time, 2),
    }


def main():
    """Run the benchmark, print its table, and keep a record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--surfaces", nargs="+", default=["face"])
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args()
    measure("face")  # compiles
    rows = []
    for name in options.surfaces:
        rows.append(measure(name))
        print(rows[-1], flush=True)
    if not options.no_record:
        values = {
            "rows": rows,
            "samples": N_SAMPLES,
            "area_tol": AREA_TOL,
            "load": os.getloadavg()[0],
        }
        command = (
            f"python benchmarks/measure_preserving_maps.py --surfaces {' '.join(options.surfaces)}"
        )
        print(records.write("measure-preserving-maps", values, command=command, seeds=[SEED]))


if __name__ == "__main__":
    main()
