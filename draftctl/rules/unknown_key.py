"""E-KEY: a key that nobody reads. Most are found while a file is read; here, those that do not belong to a step's verb, and tests."""

from draftctl.rules.base import Found, Rule, Written
from draftctl.spelling import did_you_mean
from draftctl.workflow_file import StepFile

_BELONGS = {
    "options": ("choose",),
    "schema": ("extract",),
    "max_chars": ("draft",),
    "on_fail": ("draft", "check", "critique"),
}


def _given(step: StepFile) -> dict[str, object]:
    return {"options": step.options, "schema": step.json_schema, "max_chars": step.max_chars, "on_fail": step.on_fail}


def _check(written: Written) -> Found:
    for n, verb, step in written.one_verb:
        for key, value in _given(step).items():
            verbs = _BELONGS[key]
            if value is not None and verb not in verbs:
                yield written.at(("steps", n, key), f"`{key}` belongs to {' or '.join(verbs)}, not to {verb}", key=True)
        for key in ("max_tokens", "sampling"):
            if verb == "check" and getattr(step, key) is not None:
                yield written.at(("steps", n, key), f"a check asks no model, so it has no `{key}`", key=True)


def _check_tests(written: Written) -> Found:
    allowed = ["rendered", "draft", "held", *(f"steps.{name}" for name in written.names)]
    for n, test in enumerate(written.file.tests if written.file else ()):
        for key in test.expect.model_extra or {}:
            if not key.startswith("steps."):
                message = f"unknown key '{key}'{did_you_mean(key, allowed)}"
                yield written.at(("tests", n, "expect", key), message, key=True)


RULE = Rule(
    id="E-KEY",
    title="A key that nobody reads",
    why="A misspelt key that is passed over does nothing, and nobody sees that it does nothing.",
    fix="Take the name that is meant, or put the key beside the verb that it belongs to.",
    of_steps=_check,
    of_file=_check_tests,
)
