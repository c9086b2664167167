"""OpenAI's chat format: `messages` alone. The format only; nothing is sent anywhere."""

from draftctl.exports.base import Format, Kept, Made, conversation, row, supervised


def make(kept: Kept) -> Made:
    """Return one conversation, the reply last."""
    text = supervised(kept)
    return text if isinstance(text, str) else (row(messages=conversation(kept, text)),)


FORMAT = Format(name="openai", about="messages alone, one conversation a line", make=make)
