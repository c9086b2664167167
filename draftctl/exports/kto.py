"""Good and bad: each text with a label, as TRL's KTOTrainer takes them. An edit gives two rows."""

from draftctl.exports.base import Facts, Format, Kept, Made, row, said
from draftctl.exports.configs import trl_config


def make(kept: Kept) -> Made:
    """Return a row for what a person let go, and one for a draft that was the model's fault."""
    rows = []
    if kept.final is not None:
        rows.append(_labelled(kept, kept.final, b"true"))
    if kept.original is not None and kept.model_fault and not kept.same and kept.verdict != "approved":
        rows.append(_labelled(kept, kept.original, b"false"))
    return tuple(rows) or "not_model_fault"


def _labelled(kept: Kept, text: bytes, label: bytes) -> bytes:
    return row(prompt=kept.prompt, completion=said(text), label=label, provenance=kept.provenance)


def files(facts: Facts) -> dict[str, str]:
    """Return TRL's configuration."""
    return {"trl_kto.yaml": trl_config(facts, "beta: 0.1\n")}


FORMAT = Format(
    name="kto",
    about="prompt, completion and label, for TRL's KTO",
    make=make,
    files=files,
    verdicts=frozenset({"approved", "edited", "rejected"}),
    uses_original=True,
)
