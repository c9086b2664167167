"""Preferences: the person's text over the draft, as TRL's DPOTrainer and Axolotl take them."""

from draftctl.exports.base import Facts, Format, Kept, Made, row, said
from draftctl.exports.configs import axolotl_config, trl_config


def make(kept: Kept) -> Made:
    """Return one pair for an edit."""
    if kept.final is None or kept.original is None or kept.same:
        return "no_pair"
    if not kept.model_fault:
        return "not_model_fault"
    chosen, rejected = said(kept.final), said(kept.original)
    return (row(prompt=kept.prompt, chosen=chosen, rejected=rejected, provenance=kept.provenance),)


def files(facts: Facts) -> dict[str, str]:
    """Return TRL's and Axolotl's configurations.

    The loss has an SFT term beside it: with small edits DPO alone can make the better text less likely (arXiv 2402.13228).
    """
    loss = "beta: 0.1\nloss_type: [sigmoid, sft]\nloss_weights: [1.0, 1.0]\n"
    dataset = "    type: chat_template.default\n    field_messages: prompt\n    field_chosen: chosen\n    field_rejected: rejected\n"
    return {"trl_dpo.yaml": trl_config(facts, loss), "axolotl_dpo.yaml": axolotl_config(facts, "rl: dpo\n", dataset)}


FORMAT = Format(
    name="dpo",
    about="prompt, chosen and rejected, for TRL's and Axolotl's DPO",
    make=make,
    files=files,
    verdicts=frozenset({"edited"}),
    pairs=True,
    uses_original=True,
)
