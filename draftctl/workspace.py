"""Where the workspace is, and what a run reads of it: the last commit, unless somebody asks for the working tree."""

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from draftctl.errors import FileProblems, UsageError
from draftctl.settings import FILE_NAME, Settings, SettingsFile, parse_settings, resolve_database

GitState = Literal["clean", "dirty", "unknown"]
FOLDERS = ("pastebin", "workflows", "engines")
OURS = (*FOLDERS, FILE_NAME)
_LITERAL = ("--literal-pathspecs",)  # a file's name may hold `*` or `[`
_IS_OURS = re.compile(
    r"draftctl\.yaml|pastebin/[^./][^/]*\.(?:md|yaml)|engines/[^./][^/]*\.yaml|schema/[^./][^/]*\.json|"
    r"workflows/(?:[^./][^/]*\.yaml|workflows\.lock|partials/[^./][^/]*\.j2|experiments/[^./][^/]*\.yaml)"
)
SAVED = (*OURS, "schema")  # what editors read goes along; no run reads it


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The files that one run goes by, frozen: bytes by path, the commit they come from, and whether they are all committed.

    `unsaved` names the files whose saved edits this run does not read; `git_problem` says why Git could not be asked.
    """

    files: Mapping[str, bytes]
    commit: str | None
    state: GitState
    unsaved: tuple[str, ...] = ()
    git_problem: str = ""
    changed: tuple[str, ...] = field(default=())

    def state_of(self, paths: set[str]) -> GitState:
        """Return the state of just the files that a draft read."""
        if self.state == "unknown":
            return "unknown"
        return "dirty" if paths & set(self.changed) else "clean"


def find_root(start: Path, override: str | None) -> Path:
    """Return the nearest folder at or above `start` that holds `draftctl.yaml`, or the one that was named.

    Raises UsageError when there is none.
    """
    if override:
        root = Path(override).expanduser().resolve()
        if not (root / FILE_NAME).is_file():
            raise UsageError(
                f"{root} holds no {FILE_NAME}, so it is no workspace.", hint="`draftctl init DIR` makes one."
            )
        return root
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder
    raise UsageError(
        f"Neither {start} nor a folder above it holds {FILE_NAME}, so there is no workspace here.",
        hint="`draftctl init DIR` makes one; --workspace DIR or DRAFTCTL_WORKSPACE names one.",
    )


def load_settings(root: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the workspace's settings. Raises FileProblems for a bad file."""
    content = (root / FILE_NAME).read_bytes()
    return parse_settings(content, root=root, environment=os.environ if environment is None else environment)


def database_anyway(root: Path) -> Path:
    """Return the database's path even where `draftctl.yaml` is broken, so that what came on stdin is not lost.

    What can still be read of the file counts, and the environment wins as ever; else it is the default place.
    """
    try:
        return load_settings(root).database
    except FileProblems:
        found = re.search(rb"^database:[ ]*([^#\r\n]+?)[ ]*(?:#.*)?$", (root / FILE_NAME).read_bytes(), re.MULTILINE)
        written = found[1].decode(errors="replace").strip("'\"") if found else SettingsFile().database
        return resolve_database(root, os.environ.get("DRAFTCTL_DB") or written)


def take_snapshot(root: Path, *, working_tree: bool = False) -> Snapshot:
    """Read the workspace once: the last commit, or (`working_tree`, or where Git has none) the files as they lie there."""
    commit, problem = _head(root)
    if commit is None:
        return Snapshot(files=_read_tree(root), commit=None, state="unknown", git_problem=problem)
    try:
        changed = _changed(root, ignored=working_tree)
        committed = {} if working_tree else _read_commit(root, commit)
    except subprocess.CalledProcessError as error:
        problem = error.stderr.decode(errors="replace").strip().splitlines()[:1]
        return Snapshot(files=_read_tree(root), commit=None, state="unknown", git_problem="".join(problem))
    if working_tree:
        state: GitState = "dirty" if changed else "clean"
        return Snapshot(files=_read_tree(root), commit=commit, state=state, changed=changed)
    unsaved = tuple(
        path for path in changed if path != FILE_NAME
    )  # of the settings only the persona is read from the commit
    return Snapshot(files=committed, commit=commit, state="clean", unsaved=unsaved)


def why_not_now(root: Path) -> str:
    """Say why nothing can be committed here now, or nothing: no commit yet, or something that Git is in the middle of."""
    problem = _head(root)[1]
    if problem:
        return problem
    folder = Path(root, os.fsdecode(git(root, "rev-parse", "--git-dir").strip()))
    unfinished = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")
    if any((folder / name).exists() for name in unfinished) or git(root, "ls-files", "--unmerged"):
        return "Git is in the middle of putting two versions together (`git status` says what is left to do)"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lying:
    """What lies in the workspace for a save: our files that differ from the last commit, what else was changed beside them, what no commit can hold.

    `ignored` are files of ours that Git ignores, `links` symbolic links where a file of ours should be.
    """

    changed: tuple[str, ...]
    others: tuple[str, ...]
    ignored: tuple[str, ...]
    links: tuple[str, ...]

    def is_ignored(self, path: str) -> bool:
        """Say whether Git ignores a file of ours, or a folder that it lies in."""
        return any(path == one or (one.endswith("/") and path.startswith(one)) for one in self.ignored)


def lying_there(root: Path) -> Lying:
    """Look at what lies in the workspace. Raises CalledProcessError where Git cannot say."""
    changed = _changed(root, ignored=False, paths=SAVED)
    ours = [path for path in changed if _IS_OURS.fullmatch(path)]
    ignored = set(_changed(root, ignored=True, paths=SAVED)) - set(changed)
    return Lying(
        changed=tuple(path for path in ours if not (root / path).is_symlink()),
        others=tuple(path for path in changed if path not in ours),
        ignored=tuple(sorted(ignored)),
        links=tuple(path for path in ours if (root / path).is_symlink()),
    )


def commit_files(root: Path, paths: Sequence[str], message: str) -> str:
    """Commit these files alone, whatever else is staged, and return the commit. Raises CalledProcessError with what Git says."""
    name_an_author(root)
    gone = [path for path in paths if not (root / path).exists()]
    if gone:  # what is staged as deleted is unknown to `commit --only`; as deleted from the folder alone it is not
        git(root, *_LITERAL, "reset", "--quiet", "HEAD", "--", *gone)
    there = [path for path in paths if path not in gone]
    if there:
        git(root, *_LITERAL, "add", "--all", "--", *there)
    known = {
        path
        for path in git(root, *_LITERAL, "ls-files", "-z", "--", *paths).decode(errors="backslashreplace").split("\0")
        if path
    }
    git(
        root,
        *_LITERAL,
        "commit",
        "--quiet",
        "--only",
        f"--message={message}",
        "--",
        *(path for path in paths if path in known),
    )
    return git(root, "rev-parse", "HEAD").decode().strip()


def name_an_author(root: Path) -> None:
    """Where this machine names no author, name one for this workspace alone, so that `git commit` works there."""
    try:
        git(root, "config", "user.email")
    except subprocess.CalledProcessError:
        git(root, "config", "user.name", "draftctl")
        git(root, "config", "user.email", "draftctl@localhost")


def files_at(root: Path, ref: str) -> dict[str, bytes]:
    """Read our files of any commit. Raises UsageError where Git does not know it."""
    try:
        commit = git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").decode().strip()
        return _read_commit(root, commit)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UsageError(f"Git knows no commit {ref!r} here.") from error


def prefix_of(root: Path) -> str:
    """Return where in its repository the workspace lies (`quinn/`), or nothing; nothing too where Git cannot be asked."""
    try:
        return git(root, "rev-parse", "--show-prefix").decode().strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def history_of(root: Path, path: str, limit: int = 50) -> Iterator[bytes]:
    """Yield what a file was in its earlier commits, the newest first; nothing where Git cannot be asked."""
    try:
        commits = git(root, "rev-list", f"--max-count={limit}", "HEAD", "--", path).decode().split()
        prefix = git(root, "rev-parse", "--show-prefix").decode().strip()
    except (OSError, subprocess.CalledProcessError):
        return
    for commit in commits:
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            yield git(root, "cat-file", "blob", f"{commit}:{prefix}{path}")


def git(root: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run git in the workspace and return its output. Raises OSError or CalledProcessError."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith("GIT_CONFIG")}
    environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], input=stdin, capture_output=True, check=True, env=environment
    )
    return done.stdout


def _head(root: Path) -> tuple[str | None, str]:
    try:
        return git(root, "rev-parse", "--verify", "--quiet", "HEAD").decode().strip(), ""
    except FileNotFoundError:
        return None, "git is not installed"
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines()
        return None, lines[0] if lines else "there is no commit yet"


def _changed(root: Path, *, ignored: bool, paths: Sequence[str] = OURS) -> tuple[str, ...]:
    """Return our files that differ from the last commit, new and deleted ones included, and (`ignored`) those that Git ignores."""
    listed = git(
        root,
        "status",
        "--porcelain=v1",
        "-z",
        "--no-renames",
        "--untracked-files=all",
        *(["--ignored=matching"] if ignored else []),
        "--",
        *paths,
    ).decode(errors="backslashreplace")
    prefix = git(root, "rev-parse", "--show-prefix").decode().strip()
    return tuple(sorted(entry[3:].removeprefix(prefix) for entry in listed.split("\0") if entry))


def _read_tree(root: Path) -> dict[str, bytes]:
    files = {FILE_NAME: (root / FILE_NAME).read_bytes()} if (root / FILE_NAME).is_file() else {}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and not path.is_symlink():
                name = os.fsencode(path.relative_to(root).as_posix()).decode(errors="backslashreplace")
                files[name] = path.read_bytes()
    return files


def _read_commit(root: Path, commit: str) -> dict[str, bytes]:
    """Read all our files of a commit with two calls of git."""
    rows = git(root, "ls-tree", "-r", "-z", commit, "--", *OURS).decode(errors="backslashreplace").split("\0")
    entries = [
        (meta.split()[2], path) for row in rows if row for meta, path in [row.split("\t", 1)] if meta.startswith("100")
    ]
    output = git(root, "cat-file", "--batch", stdin="".join(f"{sha}\n" for sha, _ in entries).encode())
    files, at = {}, 0
    for _, path in entries:
        end = output.index(b"\n", at)
        size = int(output[at:end].split()[2])
        files[path] = output[end + 1 : end + 1 + size]
        at = end + size + 2
    return files
