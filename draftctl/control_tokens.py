"""Text that a tokenizer would read as its own control tokens, and how it is made harmless. Pure.

Chat templates put texts and control tokens into one string, and most tokenizers cannot tell them apart: `<|im_end|>` in a
message ends the message. So a space goes in after the first character of whatever looks like a control token of any family.
Nothing is ever deleted: deletion can put a token together (`<|im_<|im_end|>end|>`).
"""

import re
from collections.abc import Iterable
from functools import lru_cache

# Tokens that stand for every family (Llama 2 to 4, Mistral, ChatML, Gemma, DeepSeek, Phi, GLM, gpt-oss), for probes and tests.
FAMILIES: dict[str, tuple[str, ...]] = {
    "llama": ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<s>", "</s>", "<<SYS>>", "<</SYS>>"),
    "mistral": ("<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[control_8]"),
    "chatml": ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>", "<tool_call>"),
    "gemma": ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>", "<unused7>", "<|turn>", "<turn|>"),
    "deepseek": ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<｜tool▁calls▁begin｜>", "</think>"),
    "phi": ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|im_sep|>"),
    "other": ("[gMASK]", "<sop>", "<|observation|>", "<|start|>", "<|channel|>", "<|START_OF_TURN_TOKEN|>"),
}  # fmt: skip
_UNSEEN = "[\u00ad\u200b-\u200f\u2060\ufeff]*"  # some tokenizers drop these before they look
_BAR = "[|｜ǀ∣│❘]"
_LESS, _MORE, _OPEN, _CLOSE = "[<＜﹤]", "[>＞﹥]", "[\\[［]", "[\\]］]"
_SHAPES = (
    rf"{_LESS}(?={_UNSEEN}{_BAR})",
    rf"{_BAR}(?={_UNSEEN}{_MORE})",
    rf"{_LESS}(?=[^\s<>＜＞]{{1,48}}{_MORE})",
    rf"{_OPEN}(?={_UNSEEN}/?{_UNSEEN}(?:[A-Z][A-Z0-9_]+|[gs]MASK|control_[0-9]+|@[A-Z]+@|multimodal){_UNSEEN}{_CLOSE})",
)
_PASSES = 4
_LINES = re.compile(r"\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


@lru_cache(maxsize=64)
def _pattern(extra: tuple[str, ...]) -> re.Pattern[str]:
    """Compile the shapes, and the exact tokens of the served tokenizer beside them."""
    exact = [f"{re.escape(token[0])}(?={re.escape(token[1:])})" for token in extra if len(token) > 1]
    return re.compile("|".join((*_SHAPES, *exact)))


def neutralise(text: str, extra: tuple[str, ...] = ()) -> str:
    """Return the text with a space in everything that looks like a control token; `extra` are the served tokenizer's own."""
    pattern = _pattern(extra)
    for _ in range(_PASSES):
        changed = pattern.sub(r"\g<0> ", text)
        if changed == text:
            break
        text = changed
    return text


def lines_of(text: str) -> list[str]:
    """Return a text's lines, at everything that any program takes for the end of one."""
    return _LINES.split(text)


def one_line(text: str) -> str:
    """Return a text on one line, so that it cannot start one of its own."""
    return " ".join(_LINES.split(text)) if _LINES.search(text) else text


def find_control_token(text: str, extra: tuple[str, ...] = ()) -> str | None:
    """Return the start of the first thing that looks like a control token (at most 24 characters), or None."""
    match = _pattern(extra).search(text)
    return text[match.start() : match.start() + 24] if match else None


def known_tokens(extra: Iterable[str] = ()) -> tuple[str, ...]:
    """Return every token of every family once, with `extra`."""
    return tuple(dict.fromkeys([*(token for tokens in FAMILIES.values() for token in tokens), *extra]))
