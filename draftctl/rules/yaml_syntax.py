"""E-YAML: the file is no YAML that is read here. Found while it is read."""

from draftctl.rules.base import Rule

RULE = Rule(
    id="E-YAML",
    title="The file is no YAML, or uses something that is not read here",
    why="Half a file that is read is worse than none: it drafts, and with something missing.",
    fix="Go to the place; most often an indentation, a quotation mark or a `:` is missing. One file is one UTF-8 document of at most 256 KiB, indented with spaces, without tags.",
)
