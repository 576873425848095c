"""nbgrader's execution of a notebook, made to survive what a student's code can do to a kernel."""

import os

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from nbgrader.utils import is_grade, is_locked
from traitlets import Integer, default

# Name the checks that were replaced, then read all from their files, twice: they import each other.
RESTORE = """
import importlib as _importlib, sys as _sys
_checks = _sys.modules.get("omt_course.course.checks")
_replaced = [n for n in getattr(_checks, "__all__", ())
             if not str(getattr(getattr(_checks, n), "__module__", "")).startswith("omt_course.")]
for _name in 2 * [n for n in _sys.modules if n.startswith("omt_course.course.")]:
    _importlib.reload(_sys.modules[_name])
if "checks" in globals():
    import omt_course.course.checks as checks
"""


class PatientExecute(Execute):
    """Execute every cell; after the kernel's death, fail the cells that are left and go on.

    Points that were earned before stand, where nbgrader's own class drops the whole submission.
    Before a test the course's checks are restored, whatever a student's code put in their place.
    """

    dead = ""

    @default("timeout_func")
    def _patience(self):
        """Give the set-up, which is ours and imports much, more time than a student's cell."""
        return lambda cell: self.timeout * (1 if is_grade(cell) or not is_locked(cell) else 5)

    def preprocess_cell(self, cell, resources, index):
        """Execute one cell, or say why it was not executed."""
        if cell.cell_type != "code":
            return cell, resources
        if not self.dead:
            try:
                if is_grade(cell):
                    self.restore_checks()
                return super().preprocess_cell(cell, resources, index)
            except DeadKernelError:
                self.dead = "the kernel died"
            except CellTimeoutError:
                self.dead = "the kernel went on after its time and did not listen"
            name = cell.metadata.get("nbgrader", {}).get("grade_id", f"cell {index}")
            note(f"{self.dead} in {name}")
            self.dead = f"{self.dead} in {name}"
        failure = new_output("error", ename="NotExecuted", evalue=self.dead, traceback=[self.dead])
        cell.outputs = [*cell.get("outputs", []), failure]
        return cell, resources

    def restore_checks(self):
        """Put the course's checks back in their place; note it if they had been replaced."""
        asked = self.kc.execute(
            RESTORE,
            silent=True,
            store_history=False,
            user_expressions={"replaced": "', '.join(_replaced)"},
        )
        reply = self.wait_for_reply(asked) or {}
        answer = reply.get("content", {}).get("user_expressions", {}).get("replaced", {})
        replaced = answer.get("data", {}).get("text/plain", "''").strip("'")
        if replaced:
            note(f"replaced checks, put back: {replaced}")

    def on_cell_executed(self, **kwargs):
        """Note a cell that ran out of time or memory."""
        super().on_cell_executed(**kwargs)
        ended = kwargs["execute_reply"]["content"].get("ename")
        label = kwargs["cell"].metadata.get("nbgrader", {}).get("grade_id", "an own cell")
        if ended == "CellTimeoutError":
            note(f"stopped after {self.timeout} s: {label}")
        elif ended == "MemoryError":
            note(f"out of memory: {label}")


class BoundOutput(NbGraderPreprocessor):
    """Cut a cell's output to a length that can be read, and let warnings cost no points.

    nbgrader takes any text on stderr for a failed test; a `RuntimeWarning` is not an error.
    """

    longest = Integer(20_000, help="characters kept of a cell's output").tag(config=True)

    def preprocess_cell(self, cell, resources, index):
        """Return the cell with short outputs."""
        if cell.cell_type != "code":
            return cell, resources
        left, kept = self.longest, []
        produced = sum(length(output) for output in cell.outputs)
        for output in cell.outputs:
            if output.output_type == "stream":
                text = "".join(output.text)
                if text and left > 0:
                    kept.append(new_output("stream", name="stdout", text=text[:left]))
                left -= len(text)
            elif output.output_type == "error":
                output.evalue = output.evalue[:2000]
                output.traceback = [line[:2000] for line in output.traceback][-40:]
                kept.append(output)
            elif length(output) <= max(left, 2**20 if "image/png" in output.data else 0):
                kept.append(output)
                left -= 0 if "image/png" in output.data else length(output)
        if produced > self.longest and left <= 0:
            label = cell.metadata.get("nbgrader", {}).get("grade_id", "an own cell")
            said = f"\n... output of {produced:,} characters cut"
            kept.append(new_output("stream", name="stdout", text=said))
            note(f"output of {produced:,} characters cut: {label}")
        cell.outputs = kept
        return cell, resources


def length(output) -> int:
    """Return the number of characters of an output."""
    if output.output_type == "stream":
        return len(output.text)
    if output.output_type == "error":
        return 0
    return sum(len(str(value)) for value in output.get("data", {}).values())


def note(sentence: str) -> None:
    """Append a sentence to the remarks about this submission."""
    with open(os.environ["OMT_GRADE_NOTES"], "a", encoding="utf-8") as file:
        file.write(sentence + "\n")
