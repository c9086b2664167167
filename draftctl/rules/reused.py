"""E-VERSION-REUSED: a version that says something else at another commit (`--against REF`)."""

from draftctl.rules.base import Found, Rule, Whole


def _check(whole: Whole) -> Found:
    for id_, workflow in whole.now.items():
        old = whole.before.get(id_)
        if old is not None and old.version == workflow.version and old.semantic_hash != workflow.semantic_hash:
            message = (
                f"version {workflow.version} has other content than in {whole.ref}; `draftctl workflow bump {id_}`"
            )
            yield workflow.document.problem(("version",), message, "")


RULE = Rule(
    id="E-VERSION-REUSED",
    title="A version that said something else before",
    why="The lock may have been edited together with the file; another commit was not.",
    fix="`draftctl workflow bump ID`, or take the change back.",
    of_workspace=_check,
)
