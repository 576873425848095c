"""Print which tests each answer loses: ``python -m assignments.table ps1 [--key KEY ...]``."""

import argparse
import sys

from .sources import NAMES, answers, cells_of, metadata, problem, read, run


def main() -> int:
    """Print one line an answer; return 1 if one loses other tests than it says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(NAMES), help="problem sets")
    parser.add_argument("--key", nargs="+", default=["a course"], help="keys to try")
    parser.add_argument("--problem", nargs="+", help="only these, such as ps1-2")
    chosen = parser.parse_args()
    wrong = 0
    for name in chosen.names:
        notebook = read(name)
        problems = dict.fromkeys(problem(c) for c in notebook.cells if problem(c))
        for one in chosen.problem or problems:
            cells = cells_of(notebook, one)
            own = [a for a in answers(name) if problem_of(a.cell) == one]
            for key in chosen.key:
                print(line(one, "reference", run(cells, key=key), ()), flush=True)
                for answer in own:
                    got = run(cells, replace={answer.cell: answer.code}, key=key)
                    print(line(one, answer.title, got, answer.loses), flush=True)
                    wrong += lost(got) != set(answer.loses)
            hand = sum(
                metadata(c).get("points", 0)
                for c in notebook.cells
                if problem(c) == one and c.cell_type == "markdown"
            )
            print(f"{one}: {hand} points by hand\n")
    return int(wrong > 0)


def problem_of(label: str) -> str:
    """Return `ps1-2` for `ps1-2-code`."""
    return "-".join(label.split("-")[:2])


def lost(outcome) -> set[str]:
    """Return the tests that gave no points."""
    return {label for label in outcome.failures if "-test" in label}


def line(one: str, title: str, outcome, expected) -> str:
    """Return one line of the table, with what each lost test said below it."""
    mark = (
        ""
        if lost(outcome) == set(expected)
        else "   <-- expected to lose: " + (", ".join(expected) or "nothing")
    )
    head = f"{one}  {outcome.points:g}/{outcome.maximum:g}  {outcome.seconds:5.1f} s  {title}{mark}"
    said = [f"        {label}: {words[:150]}" for label, words in outcome.failures.items()]
    return "\n".join([head, *said])


if __name__ == "__main__":
    sys.exit(main())
