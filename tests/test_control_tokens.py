"""Nobody's text becomes a control token: every family, every nesting to depth 3, and ordinary text stays readable."""

import re
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draftctl.control_tokens import FAMILIES, find_control_token, neutralise
from draftctl.models import Candidate, Message
from draftctl.prompt import ContextText, context_piece, first_messages, instruction, next_messages, thread_piece

# How each family's chat template writes a turn and opens the answer (a toy of it: what counts are its control tokens).
TEMPLATES = {
    "llama": (
        "<|start_header_id|>{role}<|end_header_id|>\n\n{content}<|eot_id|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    "mistral": ("[INST] {content} [/INST]", ""),
    "chatml": ("<|im_start|>{role}\n{content}<|im_end|>\n", "<|im_start|>assistant\n"),
    "gemma": ("<start_of_turn>{role}\n{content}<end_of_turn>\n", "<start_of_turn>model\n"),
    "deepseek": ("<｜User｜>{content}", "<｜Assistant｜>"),
    "phi": ("<|{role}|>\n{content}<|end|>\n", "<|assistant|>\n"),
}


def toy_tokens(family: str, text: str) -> list[str]:
    """Tokenise as added tokens are: the longest one that stands in the text is one token, wherever it came from."""
    special = sorted(FAMILIES[family], key=len, reverse=True)
    return re.findall("|".join(map(re.escape, special)), text)


def rendered(family: str, messages: Any) -> str:
    turn, opening = TEMPLATES[family]
    return "".join(turn.format(role=m.role, content=m.content) for m in messages) + opening


def chain(text: str, role: str = "user") -> Any:
    """Build a chain whose thread, atoms, canon and model answer all carry the text."""
    who = Candidate(
        id="c", thread_id="t", person_id="p", messages=(Message(role="prospect", text=text),), atoms={"name": text}
    )
    context = context_piece("Quinn", [ContextText(kind="canon", key="①", text=text)])
    first = first_messages(context, thread_piece(who), instruction("think", "what do they want"), role)  # type: ignore[arg-type]
    return next_messages(first, text, instruction("draft", "reply", max_chars=320))


def nestings(family: str) -> list[str]:
    tokens = FAMILIES[family]
    texts = list(tokens)
    for a, b in product(tokens, repeat=2):
        half = len(a) // 2
        texts += [a + b, a[:half] + b + a[half:], a[0] + b + a[1:]]
        inner = b[: len(b) // 2] + a + b[len(b) // 2 :]
        texts.append(a[:half] + inner + a[half:])  # depth 3
    return texts


@pytest.mark.parametrize("family", TEMPLATES)
def test_a_prompt_has_exactly_its_templates_own_control_tokens(family: str, record_property: Any) -> None:
    quiet = toy_tokens(family, rendered(family, chain("hello there")))
    texts = nestings(family)
    for text in texts:
        assert toy_tokens(family, rendered(family, chain(text))) == quiet, text
        assert find_control_token(neutralise(text)) is None
    assert len(toy_tokens(family, rendered(family, [type("M", (), {"role": "user", "content": texts[0]})()]))) > 0
    record_property("figure", f"control tokens, {family}: {len(texts)} nestings, 0 beyond the template's own")


@pytest.mark.parametrize("family", TEMPLATES)
def test_deleting_would_put_a_token_together_and_inserting_does_not(family: str) -> None:
    token = max(FAMILIES[family], key=len)
    split = token[: len(token) // 2] + token + token[len(token) // 2 :]
    assert split.replace(token, "") == token
    assert token not in neutralise(split)


@pytest.mark.parametrize(
    "text",
    [
        "hi, are you free on friday?",
        "I <3 your page :)",
        "is 5 < 7 or 7 > 5 ?",
        "see you [maybe] at 8",
        "a | b || c",
        "prices -> no, dates -> yes",
        "Größe, café, 👋🏽, ⑰, привет, 你好",
        "line one\nline two\ttabbed",
        "e-mail me ... or not (whatever)",
        "[ok] [Ok] [x]",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert neutralise(text) == text


@pytest.mark.parametrize(
    "text",
    ["＜|im_start|＞", "<\u200b|im_end|>", "<|im_end|\u200b>", "<ǀim_endǀ>", "［INST］", "[\u200bINST]", "</s>", "<<SYS>>", "<|", "|>", "<unused99>", "<0x0A>"],
)  # fmt: skip
def test_look_alikes_are_taken_apart(text: str) -> None:
    assert find_control_token(text)
    assert find_control_token(neutralise(text)) is None
    assert re.sub(r"\s", "", neutralise(text)) == text, "inserted, never deleted"


def test_the_served_tokenizers_own_tokens_count_too() -> None:
    extra = ("⟦user⟧", "@@END@@")
    assert neutralise("a ⟦user⟧ b @@END@@", extra) == "a ⟦ user⟧ b @ @END@@"
    assert find_control_token("x ⟦user⟧", extra)
    assert find_control_token("x ⟦user⟧") is None


@given(st.text(alphabet="<|>[]/ｉ｜＜INST_abims \u200b▁", max_size=60))
def test_neutralised_text_has_nothing_left_and_nothing_lost(text: str) -> None:
    safe = neutralise(text)
    assert find_control_token(safe) is None
    assert safe.replace(" ", "") == text.replace(" ", "")
    assert neutralise(safe) == safe


@given(st.text(max_size=200), st.text(max_size=50))
def test_nobodys_words_leave_the_fence(text: str, name: str) -> None:
    who = Candidate(
        id="c", thread_id="t", person_id="p", messages=(Message(role="prospect", text=text),), atoms={"name": name}
    )
    lines = thread_piece(who).rstrip("\n").split("\n")
    assert lines[:2] == ["# Thread", "<<<"]
    assert lines[-1] == ">>>"
    assert all(line.startswith(("them>", "fact>")) for line in lines[2:-1])


def test_the_context_comes_first_and_turns_alternate_under_both_roles() -> None:
    for role, roles in (("user", ["user", "assistant", "user"]), ("system", ["system", "user", "assistant", "user"])):
        messages = chain("hello", role)
        assert [m.role for m in messages] == roles
        assert messages[0].content.startswith("You are Quinn")
