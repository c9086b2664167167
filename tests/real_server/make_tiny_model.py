#!/usr/bin/env python3
"""Build a tiny chat model on disk, from nothing, for tests against a real server.

    make_tiny_model.py OUT [--steps N] [--seed S]

Writes OUT as an ordinary Hugging Face model directory (LlamaForCausalLM, byte-level BPE tokenizer trained here, chat template).
It is trained on the CPU to answer with one of a few dozen canned replies and then to stop:

  * a keyword picks the intent (INTENTS below): in the last user message, or, in a chain as draftctl builds it, in the newest line
    of the thread;
  * a last user message that starts with "Think:" gets a note instead of a reply ("They ask about hours."), so that steps look like
    steps;
  * a system message that says "JSON" gets {"intent": ..., "reply": ...}.

Greedy decoding is deterministic; temperature > 0 varies among the paraphrases.
"""

import argparse
import json
import math
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from draftctl.models import Candidate, Message
from draftctl.prompt import ContextText, again, context_piece, first_messages, instruction, next_messages, thread_piece

INTENTS = {
    "hours": (
        ["what are your hours", "when are you open", "are you open late", "opening hours please"],
        ["We are open from nine to six, Monday to Friday.", "Nine to six on weekdays, closed at weekends."],
    ),
    "greet": (
        ["hi", "hello there", "hey", "good evening"],
        ["Hi, thanks for writing. How can I help?", "Hello! What can I do for you today?"],
    ),
    "book": (
        ["can i book a time", "i want to book", "is tomorrow free to book", "book me in for friday"],
        ["Happy to find a time. Which day suits you best?", "Sure, tell me a day and I will check the calendar."],
    ),
    "price": (
        ["how much is it", "what is the price", "price list please", "whats the price for an hour"],
        [
            "I would rather talk about that by phone. When can I call you?",
            "Let us speak on the phone about the details, is today good?",
        ],
    ),
    "where": (
        ["where are you", "what is your address", "where do we meet", "whereabouts are you"],
        [
            "I share the address once we have set a time.",
            "I am in the city centre, the address follows when we have a time.",
        ],
    ),
    "cancel": (
        ["i need to cancel", "cancel my visit", "please cancel tomorrow", "sorry have to cancel"],
        ["No problem, it is cancelled. Shall we pick another day?", "All right, I took it off the calendar."],
    ),
    "thanks": (
        ["thanks", "thank you so much", "cheers, thanks", "great thanks a lot"],
        ["You are welcome, see you soon!", "My pleasure. Write whenever you like."],
    ),
    "late": (
        ["i am running late", "i will be late", "a bit late sorry", "traffic, late by ten"],
        ["No worries, take your time and drive safely.", "Thanks for telling me, see you when you get here."],
    ),
    "who": (
        ["who is this", "who are you", "who am i writing to", "sorry who is that"],
        ["This is Quinn. You wrote to me yesterday.", "Quinn here, we met online."],
    ),
    "stop": (
        ["stop texting me", "unsubscribe", "stop", "do not write again, stop"],
        ["Understood, I will not write again.", "All right, you will not hear from me again."],
    ),
    "other": (
        [
            "what do you think about the weather",
            "did you see the game",
            "my dog ate my shoe",
            "lol",
            "ok",
            "interesting",
            "tell me a joke",
            "do you like music",
        ],
        ["Tell me a little more, please.", "I see. And what would you like to do?"],
    ),
}
NOTES = {k: f"They ask about {k}. Keep it short and warm." for k in INTENTS}
FILLER = [
    "um",
    "so",
    "well",
    "anyway",
    "actually",
    "please",
    "just",
    "maybe",
    "today",
    "later",
    "friend",
    "quick",
    "question",
    "one",
    "more",
    "thing",
    "hope",
    "you",
    "are",
    "well",
    "long",
    "day",
    "at",
    "work",
    "back",
    "home",
    "now",
    "weekend",
    "soon",
    "number",
    "phone",
    "message",
    "reply",
    "calendar",
    "table",
    "window",
    "garden",
    "river",
    "yellow",
    "seven",
    "twelve",
    "forty",
]
SYSTEMS = [
    "You are Quinn.",
    "Reply in one short sentence.",
    "Write as Quinn: warm, short, no prices.",
    "Think step by step, then write the reply.",
    "Rules: never name a price in writing.",
]
CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
SPECIALS = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]


SYLL = [
    "ba",
    "co",
    "de",
    "fi",
    "gu",
    "ha",
    "jo",
    "ke",
    "li",
    "mo",
    "nu",
    "pa",
    "qui",
    "ro",
    "se",
    "ti",
    "va",
    "we",
    "xo",
    "yu",
    "zi",
    "an",
    "er",
    "in",
    "on",
    "st",
    "ing",
    "tion",
    "ment",
    "er",
    "ly",
]


def words(rng, lo, hi):
    """Noise the model must learn to look past: known words, made-up words, punctuation, line breaks."""
    out = []
    for _ in range(rng.randint(lo, hi)):
        w = rng.choice(FILLER) if rng.random() < 0.4 else "".join(rng.choice(SYLL) for _ in range(rng.randint(1, 4)))
        w = w.capitalize() if rng.random() < 0.15 else w
        out.append(
            w + (rng.choice([",", ".", ":", "!", ".\n", "\n- ", " <<<", ">>>", " 7"]) if rng.random() < 0.15 else "")
        )
    return " ".join(out)


def sample(rng, long=False):
    """One conversation: (messages, reply).  long: with a few hundred words of instructions ahead."""
    key = rng.choice(list(INTENTS))
    asks, replies = INTENTS[key]
    text = rng.choice(asks)
    if key != "other" or rng.random() < 0.5:
        if rng.random() < 0.6:
            text = (words(rng, 0, 10) + rng.choice([" ", " ", "\n", " <<<"]) + text).strip()
        if rng.random() < 0.6:
            text = (text + rng.choice([" ", " ", "\n", ">>>\n"]) + words(rng, 0, 20)).strip()
    if rng.random() < 0.3:
        text = text.capitalize() + rng.choice(["?", ".", "!", ""])
    msgs = []
    if long or rng.random() < 0.6:
        sys = rng.choice(SYSTEMS) + (
            "\n" + words(rng, *((60, 200) if long else (1, 12))) if long or rng.random() < 0.5 else ""
        )
        if rng.random() < 0.5:  # an instruction block that itself names intents: must be ignored
            sys += "\n" + " ".join(rng.choice(INTENTS[k][0]) for k in rng.sample(list(INTENTS), 2))
        msgs.append({"role": "system", "content": sys})
    for _ in range(rng.choice([0, 0, 0, 0, 1, 1, 2])):  # earlier turns that must be ignored
        k = rng.choice(list(INTENTS))
        msgs.append({"role": "user", "content": rng.choice(INTENTS[k][0])})
        msgs.append({"role": "assistant", "content": rng.choice(INTENTS[k][1])})
    kind = rng.random()
    if kind < 0.15:
        text = rng.choice(["think: ", "Think: ", "Think: what do they want? "]) + text
    msgs.append({"role": "user", "content": text})
    # a fixed preference (70/30) keeps greedy deterministic and sampling varied
    reply = replies[0] if rng.random() < 0.7 else replies[1]
    if kind < 0.15:
        reply = NOTES[key]
    elif kind < 0.3:
        ask = rng.choice(["Answer in JSON.", "Reply as JSON with intent and reply.", "Output JSON only."])
        if msgs[0]["role"] == "system":
            msgs[0]["content"] += "\n" + ask
        else:
            msgs.insert(0, {"role": "system", "content": ask})
        reply = json.dumps({"intent": key, "reply": reply})
    return msgs, reply


def chain_sample(rng):
    """One conversation as draftctl builds it: context, thread, and one to three steps; (messages, answer of the last step)."""
    key = rng.choice(list(INTENTS))
    asks, replies = INTENTS[key]
    texts = [ContextText(kind=kind, key=kind, text=words(rng, 5, 40)) for kind in ("safety", "rules", "voice", "canon")]
    said = [
        Message(role=rng.choice(["prospect", "quinn"]), text=words(rng, 2, 10)) for _ in range(rng.choice([0, 0, 1, 2]))
    ]
    ask = rng.choice(asks)
    ask = words(rng, 0, 6) + " " + ask if rng.random() < 0.5 else ask
    ask = ask + rng.choice(["?", ".", "!", "", " " + words(rng, 0, 8)])
    said.append(Message(role="prospect", text=ask.strip()))
    atoms = {"name": rng.choice(["Ben", "Lena", "Sam"])} if rng.random() < 0.4 else {}
    who = Candidate(id="c", thread_id="t", person_id="p", messages=tuple(said), atoms=atoms)
    note, reply = NOTES[key], replies[0] if rng.random() < 0.7 else replies[1]
    limit = rng.choice([200, 240, 280, 320])
    steps = [instruction("think", words(rng, 3, 12)) for _ in range(rng.choice([0, 1, 1, 2]))]
    answers = [note] * len(steps)
    if rng.random() < 0.25 and steps:
        steps[-1], answers[-1] = (
            instruction("choose", words(rng, 3, 8), options=["warm", "brisk"]),
            rng.choice(["warm", "brisk"]),
        )
    if rng.random() < 0.7 or not steps:
        steps.append(instruction("draft", f"reply in Quinn's voice, <={limit} chars", max_chars=limit))
        answers.append(reply)
        if rng.random() < 0.15:
            steps.append(again("it is 12 characters over 320", limit))
            answers.append(reply)
    messages = first_messages(
        context_piece("Quinn", texts), thread_piece(who), steps[0], rng.choice(["user", "user", "system"])
    )
    for step, answer in zip(steps[1:], answers[:-1], strict=True):
        messages = next_messages(messages, answer, step)
    return [{"role": part.role, "content": part.content} for part in messages], answers[-1]


def render(msgs, reply):
    p = "".join(f"<|{m['role']}|>\n{m['content']}<|end|>\n" for m in msgs) + "<|assistant|>\n"
    return p, reply + "<|end|>"


def build_tokenizer(out, vocab, seed):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    rng = random.Random(seed)
    corpus = []
    for n in range(4000):
        p, r = render(*(chain_sample(rng) if n % 3 == 0 else sample(rng)))
        corpus.append(p + r)
    corpus += [
        '{"reply": "Hi", "intent": "greet", "confidence": 0.9, "ok": true, "n": null}',
        '0123456789 [ ] { } , : "',
    ] * 50
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(
        corpus,
        trainers.BpeTrainer(
            vocab_size=vocab,
            special_tokens=SPECIALS,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(
        tokenizer_object=tok,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        additional_special_tokens=SPECIALS[2:],
        model_max_length=2048,
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(out)
    return fast


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out")
    ap.add_argument("--steps", type=int, default=800)
    ap.add_argument("--batch", type=int, default=16)
    ap.add_argument("--seed", type=int, default=7)
    ap.add_argument("--vocab", type=int, default=1024)
    ap.add_argument("--hidden", type=int, default=128)
    ap.add_argument("--layers", type=int, default=3)
    ap.add_argument("--threads", type=int, default=1)
    a = ap.parse_args()

    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    out = Path(a.out)
    out.mkdir(parents=True, exist_ok=True)
    tok = build_tokenizer(out, a.vocab, a.seed)
    heads = a.hidden // 32  # head_dim 32: the smallest vLLM's CPU attention takes
    cfg = LlamaConfig(
        vocab_size=len(tok),
        hidden_size=a.hidden,
        intermediate_size=a.hidden * 3,
        num_hidden_layers=a.layers,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2 if heads % 2 == 0 else heads,
        max_position_embeddings=2048,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tok.eos_token_id,
        pad_token_id=tok.pad_token_id,
    )
    model = LlamaForCausalLM(cfg)
    n = sum(p.numel() for p in model.parameters())
    print(f"vocab {len(tok)}  parameters {n / 1e6:.2f} M", flush=True)
    train(model, tok, a)
    model.generation_config.eos_token_id = tok.eos_token_id
    model.generation_config.pad_token_id = tok.pad_token_id
    model.to(torch.float32).save_pretrained(out)


def train(model, tok, a):
    import torch

    rng = random.Random(a.seed)
    opt = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.95), weight_decay=0.01)
    warm = max(1, a.steps // 20)
    sched = torch.optim.lr_scheduler.LambdaLR(
        opt, lambda s: min(1, (s + 1) / warm) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1, s / a.steps))))
    )
    t0, c0 = time.time(), time.process_time()
    model.train()
    pad = tok.pad_token_id
    for step in range(a.steps):
        rows = []
        long = step % 6 == 4
        for _ in range(a.batch // 4 if long else a.batch // 2 if step % 2 else a.batch):
            p, r = render(*(chain_sample(rng) if step % 2 else sample(rng, long)))
            pi = tok(p, add_special_tokens=False)["input_ids"]
            ri = tok(r, add_special_tokens=False)["input_ids"]
            rows.append((pi[-400:], ri))
        # shift positions at random so that long real prompts still work a little
        width = max(len(p) + len(r) for p, r in rows)
        ids = torch.full((len(rows), width), pad)
        lab = torch.full((len(rows), width), -100)
        for i, (p, r) in enumerate(rows):
            ids[i, : len(p) + len(r)] = torch.tensor(p + r)
            lab[i, len(p) : len(p) + len(r)] = torch.tensor(r)
        off = 0 if rng.random() < 0.3 else rng.randint(0, 1600)
        pos = torch.arange(off, off + width)[None].expand(len(rows), -1)
        hid = model.model(input_ids=ids, position_ids=pos).last_hidden_state
        keep = lab[:, 1:] != -100  # score only the reply: the rest of the logits is never computed
        loss = torch.nn.functional.cross_entropy(model.lm_head(hid[:, :-1][keep]), lab[:, 1:][keep])
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        sched.step()
        if step % 50 == 0 or step == a.steps - 1:
            print(
                f"step {step:4d} loss {loss.item():.3f} wall {time.time() - t0:.0f}s cpu {time.process_time() - c0:.0f}s",
                flush=True,
            )
    model.eval()
    ok = tot = 0
    rng = random.Random(12345)
    with torch.no_grad():
        for i in range(60):
            msgs, _r = chain_sample(rng) if i % 2 else sample(rng, i % 6 == 4)
            p, _ = render(msgs, "")
            ids = tok(p, return_tensors="pt", add_special_tokens=False)["input_ids"]
            g = model.generate(ids, max_new_tokens=60, do_sample=False, pad_token_id=pad)
            text = tok.decode(g[0, ids.shape[1] :], skip_special_tokens=True)
            want = next((v[1] for v in INTENTS.values() if _r in v[1]), [_r])
            if _r[0] == "{":
                k = json.loads(_r)["intent"]
                want = [json.dumps({"intent": k, "reply": x}) for x in INTENTS[k][1]]
            ok += text in want
            tot += 1
    print(f"held-out greedy: {ok}/{tot} answer with a canned reply of the right intent", flush=True)


if __name__ == "__main__":
    main()
