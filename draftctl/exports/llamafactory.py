"""LLaMA-Factory: conversations, `dataset_info.json`, and a configuration that trains on the last turn alone."""

import json

from draftctl.exports.base import Facts, Format, Kept, Made, conversation, row, supervised


def make(kept: Kept) -> Made:
    """Return one conversation, the reply last."""
    text = supervised(kept)
    if isinstance(text, str):
        return text
    return (row(messages=conversation(kept, text), provenance=kept.provenance),)


def files(facts: Facts) -> dict[str, str]:
    """Return what LLaMA-Factory reads: the data sets by name, and a training run."""
    tags = {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "system_tag": "system",
    }
    info = {
        f"draftctl_{split}": {
            "file_name": f"{split}.jsonl", "formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": tags,
        }
        for split in ("train", "test") if facts.rows[split]
    }  # fmt: skip
    run = (
        "# llamafactory-cli train llamafactory_sft.yaml   (from this folder)\n"
        "model_name_or_path: YOUR-MODEL\ntemplate: YOUR-MODELS-TEMPLATE\nstage: sft\ndo_train: true\nfinetuning_type: lora\n"
        "dataset_dir: .\ndataset: draftctl_train\n"
        + ("eval_dataset: draftctl_test\n" if facts.rows["test"] else "")
        + f"mask_history: true\ncutoff_len: {facts.max_length}\n"
        "output_dir: output\nper_device_train_batch_size: 1\ngradient_accumulation_steps: 8\nlearning_rate: 1.0e-4\n"
        "num_train_epochs: 2.0\nlr_scheduler_type: cosine\nwarmup_ratio: 0.1\nbf16: true\n"
    )
    return {"dataset_info.json": json.dumps(info, indent=2) + "\n", "llamafactory_sft.yaml": run}


FORMAT = Format(name="llamafactory", about="conversations, with dataset_info.json", make=make, files=files)
