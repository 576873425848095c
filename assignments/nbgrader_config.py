"""nbgrader's settings for a course folder; `make assignments` writes a file there that loads it."""

import os

c = get_config()  # noqa: F821 (nbgrader provides it)
seconds = int(os.environ.get("OMT_GRADE_CELL_SECONDS", "60"))

c.CourseDirectory.course_id = "omt"
# What students hand in lies in `submitted` and is never changed; `checked` is made from it.
c.CourseDirectory.submitted_directory = "checked"
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE\nraise NotImplementedError"}
c.ClearSolutions.text_stub = "YOUR ANSWER HERE"
c.PatientExecute.timeout = seconds
c.PatientExecute.iopub_timeout = 10
c.PatientExecute.startup_timeout = 120
c.HTMLExporter.sanitize_html = True  # what an answer prints is text, not a page
c.Autograde.autograde_preprocessors = [
    "assignments.execution.PatientExecute",
    "assignments.execution.BoundOutput",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
