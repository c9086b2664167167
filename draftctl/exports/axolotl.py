"""Axolotl: conversations in which only the reply is marked to be trained on."""

from draftctl.exports.base import Facts, Format, Kept, Made, row, supervised
from draftctl.exports.configs import axolotl_config

# A quote inside a text is escaped, so this stands for a message's own key alone.
_ROLE, _UNTRAINED = b'{"role":', b'{"train":false,"role":'


def make(kept: Kept) -> Made:
    """Return one conversation, the reply last and alone marked."""
    text = supervised(kept)
    if isinstance(text, str):
        return text
    messages = (
        kept.prompt.replace(_ROLE, _UNTRAINED)[:-1] + b',{"train":true,"role":"assistant","content":' + text + b"}]"
    )
    return (row(messages=messages, provenance=kept.provenance),)


def files(facts: Facts) -> dict[str, str]:
    """Return Axolotl's configuration."""
    dataset = "    type: chat_template\n    field_messages: messages\n    roles_to_train: []\n    message_field_training: train\n"
    return {"axolotl_sft.yaml": axolotl_config(facts, "", dataset)}


FORMAT = Format(
    name="axolotl", about="conversations, the reply marked, for Axolotl's chat_template", make=make, files=files
)
