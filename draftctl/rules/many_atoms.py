"""E-ATOMS: more facts decide than anybody can oversee. Found while the file is read."""

from draftctl.rules.base import Rule

RULE = Rule(
    id="E-ATOMS",
    title="Too many facts decide about one situation",
    why="With nine facts there are 512 combinations, and nobody could say what happens in each.",
    fix="Let fewer facts decide in one situation, or narrow the decisions.",
)
