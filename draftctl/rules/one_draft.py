"""E-DRAFT: exactly one draft, with its plans before it and its checks after it."""

from draftctl.rules.base import Found, Rule, Written


def _check(written: Written) -> Found:
    drafts = [n for n, verb, _ in written.one_verb if verb == "draft"]
    whole = len(written.one_verb) == len(written.steps)  # else a step whose verb nobody knows may be the draft
    if len(drafts) != 1:
        if drafts or whole:
            at = ("steps", drafts[1]) if drafts else ("steps",)
            yield written.at(at, f"a workflow has exactly one draft; this one has {len(drafts)}", lacking=not drafts)
        return
    for n, verb, step in written.one_verb:
        if verb == "draft" and step.when is not None:
            yield written.at(("steps", n, "when"), "the draft is never left out, so it has no `when`", key=True)
        if n < drafts[0] and verb in ("check", "critique"):
            yield written.at(("steps", n), "a check or a critique stands after the draft that it looks at")
        if n > drafts[0] and verb not in ("check", "critique"):
            yield written.at(("steps", n), "after the draft only check and critique may stand")


RULE = Rule(
    id="E-DRAFT",
    title="Not exactly one draft in its place",
    why="The draft is the reply. With two nobody could say which is sent, and what is thought after it changes nothing.",
    fix="One `draft`; think, choose and extract before it, check and critique after it.",
    of_file=_check,
)
