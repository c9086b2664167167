"""What a run says to the person beside its counts: broken workflows, reused versions, files that nobody committed."""

from draftctl.batch import Report
from draftctl.chainset import Broken
from draftctl.runner import Chains
from draftctl.workspace import Snapshot


def notes_of(snapshot: Snapshot, chains: Chains | None, report: Report) -> tuple[str, ...]:
    """Return the notes of a run."""
    notes = [_broken_note(broken) for broken in chains.chains.broken.values()] if chains else []
    notes += [f"{detail}: its candidates hold" for detail in chains.reused.values()] if chains else []
    if report.holds["wrong_build"]:
        notes.append(
            "The server does not serve this build, so its candidates hold; `draftctl engine probe` says what it serves"
        )
    if snapshot.unsaved:
        notes.append(
            f"Not committed, so not used in this run: {', '.join(snapshot.unsaved)} (`git add` and `git commit` make them count)"
        )
    if snapshot.state == "unknown":
        notes.append(f"Git could not be asked ({snapshot.git_problem}), so the files were read as they lie there")
    return tuple(notes)


def _broken_note(broken: Broken) -> str:
    more = f" (and {len(broken.problems) - 1} more)" if len(broken.problems) > 1 else ""
    known = (
        "its candidates hold"
        if broken.applies
        else "whom it is for cannot be read, so those that it was last known for hold"
    )
    return f"{broken.problems[0]}{more}\n  So {broken.id} is not used in this run: {known}. `draftctl workflow lint` says all."
