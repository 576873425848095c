"""What the workflows say, with a stand-in for GitHub; and the workflows themselves."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
HEAD = "0123456789abcdef0123456789abcdef01234567"
RUN = "https://example.org/run/7"
GOOD = {
    "number": 12,
    "head": HEAD,
    "pages": {"part2-mass/a": ["text", "package"], "b": ["site"]},
    "removed": ["old"],
}


@pytest.fixture(scope="module")
def publish():
    spec = importlib.util.spec_from_file_location("book_publish", ROOT / "book" / "publish.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(code, words=""):
    return f"# Title\n\n{words}\n\n```{{code-cell}} ipython3\n:tags: [hide-input]\n\n{code}\n```\n"


FILES = {
    "_config.yml": "title: Small\n",
    "omt_course/__init__.py": "",
    "omt_course/transport/__init__.py": "",
    "omt_course/transport/cells.py": "",
    "omt_course/transport/solver.py": "from omt_course.transport import cells\n",
    "omt_course/models/__init__.py": "",
    "omt_course/models/shapes.py": 'NAME = "surfaces/bunny.npz"\n',
    "book/solves.md": page("from omt_course.transport import solver\nsolver.solve()"),
    "book/shapes.md": page("%matplotlib inline\nimport omt_course.models.shapes"),
    "book/reads.md": page('records.read("long-run")'),
    "book/words.md": "# Words about `omt_course.transport.solver`\n",
    "data/surfaces/bunny.npz": "1",
    "data/records/long-run.json": "{}",
}


@pytest.fixture
def repository(tmp_path):
    """A small repository in git, with a function that commits changes of files."""

    def git(*arguments):
        names = [
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.org",
            "-c",
            "commit.gpgsign=false",
        ]
        subprocess.run(["git", "-C", str(tmp_path), *names, *arguments], check=True)

    def commit(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink() if text is None else path.write_text(text)
        git("add", "-A")
        git("commit", "-q", "-m", "change")

    git("init", "-q", "-b", "main")
    commit(FILES)
    git("tag", "base")
    return tmp_path, commit


@pytest.mark.parametrize(
    ("change", "pages"),
    [
        ({"book/words.md": "# Other\n"}, {"words": ["text"]}),
        ({"book/fresh.md": "# Fresh\n"}, {"fresh": ["new"]}),
        ({"omt_course/transport/solver.py": "a = 1\n"}, {"solves": ["package"]}),
        ({"omt_course/transport/cells.py": "a = 1\n"}, {"solves": ["package"]}),
        ({"omt_course/transport/__init__.py": "a = 1\n"}, {"solves": ["package"]}),
        ({"data/records/long-run.json": "{ }"}, {"reads": ["data"]}),
        ({"data/surfaces/bunny.npz": "2"}, {"shapes": ["data"]}),
        ({"README.md": "a\n"}, {}),
        (
            {"book/solves.md": page("import omt_course.transport.cells"),
             "omt_course/transport/cells.py": "a = 1\n"},
            {"solves": ["text", "package"]},
        ),
    ],
)  # fmt: skip
def test_a_change_reaches_the_pages_that_run_or_read_it(publish, repository, change, pages):
    root, commit = repository
    commit(change)
    assert publish.changed(root, "base") == {"pages": pages, "removed": []}


def test_what_is_shared_reaches_all_and_what_is_gone_is_named(publish, repository):
    root, commit = repository
    commit({"_config.yml": "title: Other\n", "book/words.md": None})
    found = publish.changed(root, "base")
    assert found["removed"] == ["words"]
    assert found["pages"] == dict.fromkeys(["reads", "shapes", "solves"], ["site"])


def test_every_chapter_needs_the_module_it_rests_on(publish):
    graph = publish.modules(ROOT)
    text = (ROOT / "book" / "part3-convexity" / "alexandrov-brenier.md").read_text()
    needed = publish.needs(text, graph)
    wanted = {"semidiscrete", "newton", "laguerre", "domains"}
    assert {f"omt_course.transport.{name}" for name in wanted} <= needed
    assert "omt_course.models.vae" not in needed
    changed = publish.affected(ROOT, ["omt_course/transport/newton.py"])
    assert changed["part3-convexity/alexandrov-brenier"] == ["package"]


def test_a_preview_is_believed_as_far_as_it_can_be_checked(publish):
    assert publish.read_preview(json.dumps(GOOD)) == GOOD


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": "12"},
        {"number": True},
        {"number": -1},
        {"head": "main; rm -rf /"},
        {"pages": {"[click](https://example.org)": ["text"]}},
        {"pages": {"a": ["@everyone"]}},
        {"pages": ["a"]},
        {"removed": ["../../etc"]},
        {"removed": [["a"]]},
        {"more": 1},
    ],
)
def test_anything_else_is_refused(publish, wrong):
    with pytest.raises(ValueError, match=r"preview\.json"):
        publish.read_preview(json.dumps(GOOD | wrong))


def test_the_comment_lists_the_changed_pages(publish):
    said = publish.comment(GOOD, RUN)
    assert said.startswith(publish.MARK) and RUN in said and "`preview-12`" in said
    assert "1 page may have changed" in said
    assert "- `part2-mass/a`: its text or code, a module that it runs\n" in said
    assert "`b`" not in said and "every page may look different" in said
    assert "- `old`: gone" in said
    quiet = publish.comment(GOOD | {"pages": {}, "removed": []}, RUN)
    assert "No page has changed" in quiet and "every page" not in quiet


def test_a_preview_has_a_door(publish, repository):
    root, commit = repository
    commit({"book/words.md": "# Other\n"})
    (root / "_build" / "html").mkdir(parents=True)
    arguments = ["--root", str(root), "--base", "base", "--number", "12", "--head", HEAD]
    publish.main(["preview", *arguments])
    text = (root / "_build" / "preview.json").read_text()
    assert publish.read_preview(text)["pages"] == {"words": ["text"]}
    door = (root / "_build" / "html" / "changed.html").read_text()
    assert '<a href="words.html">words</a> (text)' in door


@pytest.fixture
def github(tmp_path, monkeypatch):
    """A stand-in for `gh`: it answers from a dict and writes down what it is asked."""
    asked, answers = tmp_path / "asked.jsonl", tmp_path / "answers.json"
    script = tmp_path / "bin" / "gh"
    script.parent.mkdir()
    script.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        "body = sys.stdin.read() if '-' in sys.argv else ''\n"
        f"print(json.dumps([sys.argv[1:], body]), file=open({str(asked)!r}, 'a'))\n"
        f"answers = json.load(open({str(answers)!r}))\n"
        "said = ' '.join(sys.argv[1:])\n"
        "print(next((a for key, a in answers.items() if key in said), ''))\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")

    def answer(**values):
        answers.write_text(json.dumps({k.replace("_", " "): v for k, v in values.items()}))
        asked.unlink(missing_ok=True)

    answer()

    def calls():
        text = asked.read_text() if asked.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    return answer, calls


def output(tmp_path, *entries):
    path = tmp_path / "output.json"
    lines = [
        {"filename": f, "lineno": n, "status": s, "uri": u, "info": i} for f, n, s, u, i in entries
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


FINE = ("index.md", 1, "working", "https://example.org/a", "")
DEAD = ("one.md", 5, "broken", "https://example.org/b", "404 Client Error: `Not Found`\nfor url")
TWICE = ("two.md", 8, "broken", "https://example.org/b", "404")


def test_broken_links_open_one_issue(publish, github, tmp_path):
    answer, asked = github
    answer(issue_list="[]")
    assert publish.report_links(output(tmp_path, FINE, DEAD, TWICE), RUN) == "opened"
    *_, (create, body) = asked()
    assert create[:4] == ["issue", "create", "--title", publish.TITLE]
    assert publish.LABEL in create
    assert body.startswith("Broken links: 1. Working: 1.") and RUN in body
    assert (
        "- <https://example.org/b>\n  on one.md:5, two.md:8: "
        "`404 Client Error: Not Found for url`\n" in body
    )


def test_the_next_check_updates_it(publish, github, tmp_path):
    answer, asked = github
    answer(issue_list='[{"number": 9}, {"number": 4}]')
    assert publish.report_links(output(tmp_path, FINE, DEAD), RUN) == "updated 4"
    commands = [arguments for arguments, _ in asked()]
    assert commands[-1][:3] == ["issue", "edit", "4"]
    assert not any("create" in c for c in commands)


def test_it_is_closed_when_all_links_work(publish, github, tmp_path):
    answer, asked = github
    answer(issue_list='[{"number": 4}]')
    assert publish.report_links(output(tmp_path, FINE), RUN) == "closed 4"
    assert asked()[-1][0][:3] == ["issue", "close", "4"]
    answer(issue_list="[]")
    assert publish.report_links(output(tmp_path, FINE), RUN) == "nothing to do"
    assert len(asked()) == 1


def test_a_check_that_did_not_run_closes_nothing(publish, github, tmp_path):
    with pytest.raises(SystemExit, match="did not run"):
        publish.report_links(output(tmp_path), RUN)


def test_a_preview_is_announced_once(publish, github):
    answer, asked = github
    answer(**{"pulls/12": HEAD})
    assert publish.report_preview(json.dumps(GOOD), HEAD, RUN) == "commented on 12"
    command, body = asked()[-1]
    assert "POST" in command and json.loads(body)["body"] == publish.comment(GOOD, RUN)
    answer(**{"pulls/12": HEAD, "issues/12/comments": "77\n"})
    assert publish.report_preview(json.dumps(GOOD), HEAD, RUN) == "updated the comment on 12"
    command, _ = asked()[-1]
    assert "PATCH" in command and "repos/{owner}/{repo}/issues/comments/77" in command


def test_a_preview_cannot_speak_for_another_pull_request(publish, github):
    answer, asked = github
    answer(**{"pulls/12": "f" * 40})
    with pytest.raises(SystemExit, match="whose commit is another"):
        publish.report_preview(json.dumps(GOOD), HEAD, RUN)
    assert [arguments[0] for arguments, _ in asked()] == ["api"]  # it asked, and wrote nothing
    answer(**{"pulls/12": HEAD})
    with pytest.raises(SystemExit, match="whose commit is another"):
        publish.report_preview(json.dumps(GOOD), "e" * 40, RUN)
    assert asked() == []


def test_a_failure_of_github_is_a_line(publish, monkeypatch, tmp_path):
    script = tmp_path / "gh"
    script.write_text("#!/bin/sh\necho 'no such repository' >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(SystemExit, match="no such repository"):
        publish.gh("api", "x")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_bounded_pinned_and_asks_for_no_more_than_it_needs(path):
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["name"] == path.stem and "permissions" in workflow
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            if "uses" in step:
                assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
            # what others can write, a branch's name or a title, never becomes shell
            assert "${{ github.event" not in step.get("run", "")
            assert "head.ref" not in step.get("run", "") and "head_ref" not in step.get("run", "")


def test_code_of_strangers_never_meets_a_token_that_writes():
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        triggers = workflow[True]  # YAML reads the key `on` as a truth value
        if "pull_request" in triggers:
            assert workflow["permissions"] == {"contents": "read"}
            assert not any("permissions" in job for job in workflow["jobs"].values())
            assert "secrets." not in path.read_text()
        if {"pull_request_target", "workflow_run"} & set(triggers):
            assert workflow["permissions"] == {}
            for job in workflow["jobs"].values():
                for step in job["steps"]:
                    assert "download-artifact" not in step.get("uses", "")
                    if "checkout" in step.get("uses", ""):
                        assert step["with"]["ref"].endswith("repository.default_branch }}")
                        assert step["with"]["persist-credentials"] is False
                    assert "make" not in step.get("run", "").split()


def test_the_release_is_made_before_the_site_that_links_to_it():
    workflow = yaml.safe_load((ROOT / ".github/workflows/publish.yml").read_text())
    steps = [s.get("run", s.get("uses", "")) for s in workflow["jobs"]["publish"]["steps"]]

    def place(words):
        return next(k for k, step in enumerate(steps) if words in step)

    wanted = [
        ".ci/run",
        "make pdf",
        "make zip",
        "gh release upload",
        "upload-pages",
        "deploy-pages",
    ]
    assert [place(w) for w in wanted] == sorted(place(w) for w in wanted)
    listed = re.findall(r"latest/download/([\w.-]+)", (ROOT / "book/downloads.md").read_text())
    assert len(listed) == 4
    for name in listed:
        assert name in steps[place("gh release upload")]


def test_the_comment_follows_the_preview():
    follower = yaml.safe_load((ROOT / ".github/workflows/preview-comment.yml").read_text())
    assert follower[True]["workflow_run"]["workflows"] == ["preview"]
    assert follower[True]["pull_request_target"] == {"types": ["closed"]}
    text = (ROOT / ".github/workflows/preview.yml").read_text()
    assert "name: preview-${{ github.event.number }}" in text and "preview-data" in text
