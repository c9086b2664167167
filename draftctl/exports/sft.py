"""Supervised: prompt and completion, as TRL's SFTTrainer takes them (loss on the completion alone)."""

from draftctl.exports.base import Facts, Format, Kept, Made, supervised
from draftctl.exports.configs import trl_config

_ROW = b'{"prompt":%b,"completion":[{"role":"assistant","content":%b}],%b}\n'  # the one that all use: half the time of `row`


def make(kept: Kept) -> Made:
    """Return one row for what a person let go."""
    text = supervised(kept)
    if isinstance(text, str):
        return text
    return (_ROW % (kept.prompt, text, kept.provenance),)


def files(facts: Facts) -> dict[str, str]:
    """Return TRL's configuration."""
    return {"trl_sft.yaml": trl_config(facts, "completion_only_loss: true\npacking: false\n")}


FORMAT = Format(name="sft", about="prompt and completion, for TRL's SFT", make=make, files=files)
