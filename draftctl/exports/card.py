"""The data card: what a person must know of a data set, with the header that the `datasets` library reads. Pure."""

from collections.abc import Mapping
from typing import Any

from draftctl.exports.base import Facts, Format

_DROPPED = {
    "breaks_rule": "the person's text breaks a rule of the house (a price, a service, ...)",
    "duplicate": "the same message with the same reply stands in the test split",
    "erased": "its texts were erased",
    "example_leaks": "its prompt shows somebody of the test split, or somebody who was flagged",
    "flagged_person": "the person was flagged at some time (minor, coercion, self-harm, a threat)",
    "no_pair": "the draft was right as it was, so there is no better and worse",
    "no_prompt": "no prompt of the draft step is there",
    "not_model_fault": "the reviewer said that it was not the model's fault",
    "rejected": "a rejection shows no right reply",
    "residual_personal_data": "personal data still seems to stand in it after redaction",
    "split_by_merge": "persons on both sides of the split turned out to be one",
    "superseded": "a later verdict on the same draft counts",
    "template": "the draft was a note's text, not a model's",
    "template_mismatch": "the tokenizer's chat template does not keep it as it is",
    "too_long": "longer than --max-length",
    "undone": "the row only takes another one back",
}


def data_card(format_: Format, facts: Facts, manifest: Mapping[str, Any]) -> str:
    """Return README.md. It holds no time, so that the same data has the same bytes."""
    splits = "".join(f"  - split: {split}\n    path: {split}.jsonl\n" for split, rows in facts.rows.items() if rows)
    head = f"---\nconfigs:\n- config_name: default\n  data_files:\n{splits}---\n\n" if splits else ""
    counts = manifest["counts"]
    rows = "\n".join(f"| {reason} | {n:,} | {_DROPPED.get(reason, '')} |" for reason, n in manifest["dropped"].items())
    dropped = f"| left out | corrections | because |\n|---|---|---|\n{rows}\n" if rows else "Nothing was left out.\n"
    redacted = (
        f"Phones, e-mails, handles, links, addresses and the names that threads give are replaced by words in brackets (redactor {manifest['redactor']})."
        if manifest["redacted"]
        else "PERSONAL DATA IS IN IT (--allow-raw): keep it where the conversations may be, and nowhere else."
    )
    return (
        f"{head}# Corrections of {facts.engine}: {format_.name}\n\n"
        f"{format_.about}. Data set `{facts.dataset_id}`.\n\n"
        f"- {counts['input']:,} corrections, {counts['kept']:,} kept, {counts['rows']:,} rows: "
        f"{facts.rows['train']:,} train, {facts.rows['test']:,} test\n"
        f"- by verdict: {_listed(manifest['verdicts'])}\n- by build: {_listed(manifest['engines'])}\n"
        f"- longest row: at most {facts.max_length:,} tokens{'' if facts.measured else ' (its bytes: no tokenizer was given)'}\n\n"
        f"{dropped}\n{redacted}\n\n"
        "The prompt is what the model saw at its draft step. A person is in one split for ever: by a salted hash of who they are. "
        "The completion is what a person let go; think steps are part of the prompt and are not trained on.\n\n"
        "These are real conversations with people who wrote in confidence. They were kept to make this house's own replies better: "
        "do not publish them, do not train anything else on them, and delete them when `draftctl forget` or `draftctl purge` names this data set.\n"
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items()) or "none"
