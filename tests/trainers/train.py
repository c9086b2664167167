"""Runs in the trainers' own environment: loads exports as they are and trains on them. Prints one JSON object.

train.py FOLDER     FOLDER/sft, dpo, kto, openai, llamafactory, axolotl are exports; FOLDER/tokenizer is made here if missing
"""

import importlib.abc
import importlib.machinery
import json
import os
import sys
import types
from pathlib import Path

os.environ |= {
    "DISABLE_VERSION_CHECK": "1",  # LLaMA-Factory asks for an older transformers than TRL; its converter does without
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "WANDB_DISABLED": "true",
    "CUDA_VISIBLE_DEVICES": "",
}

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
STEPS = 3


class Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands for a package that LLaMA-Factory imports for sound and that text never calls."""

    def find_spec(self, name, path=None, target=None):
        return (
            importlib.machinery.ModuleSpec(name, self, is_package=True) if name.split(".")[0] == "torchaudio" else None
        )

    def create_module(self, spec):
        return types.ModuleType(spec.name)

    def exec_module(self, module):
        module.__path__ = []


def make_tokenizer(folder):
    """Train a small tokenizer on the rows, with ChatML's template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = (folder.parent / "openai" / "train.jsonl").read_text().splitlines()
    trainer = trainers.BpeTrainer(
        vocab_size=800,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.chat_template = CHATML
    fast.save_pretrained(folder)


def make_model(folder, tokenizer):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=8192,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def max_length(folder, name):
    return next(
        int(line.split()[1])
        for line in (folder / name).read_text().splitlines()
        if line.startswith(("max_length:", "cutoff_len:", "sequence_len:"))
    )


def run_trl(folder, model, tokenizer):
    """Three real steps each; how many rows are left after tokenisation."""
    from datasets import load_dataset
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer

    found = {}
    for name, config, trainer in (
        ("sft", SFTConfig, SFTTrainer),
        ("dpo", DPOConfig, DPOTrainer),
        ("kto", KTOConfig, KTOTrainer),
    ):
        data = load_dataset(str(folder / name))
        asked = {
            "output_dir": str(folder / "out"),
            "max_steps": STEPS,
            "per_device_train_batch_size": 2,
            "report_to": [],
            "use_cpu": True,
            "logging_steps": 1,
            "save_strategy": "no",
            "max_length": max_length(folder / name, f"trl_{name}.yaml"),
        }
        trained = trainer(
            model=str(model), args=config(**asked), train_dataset=data["train"], processing_class=tokenizer
        )
        done = trained.train()
        found[name] = {
            "rows": data["train"].num_rows,
            "after": len(trained.train_dataset),
            "test": data["test"].num_rows if "test" in data else 0,
            "steps": done.global_step,
            "loss": done.training_loss,
        }
        if name == "sft":
            row = next(iter(trained.get_train_dataloader()))
            found["sft"]["labels"] = [
                tokenizer.decode([t for t in labels if t >= 0]) for labels in row["labels"].tolist()
            ]
            found["sft"]["replies"] = [
                row["completion"][0]["content"] for row in load_dataset(str(folder / "sft"))["train"]
            ]
    return found


def run_llamafactory(folder):
    """LLaMA-Factory's own converter, on our dataset_info.json."""
    sys.meta_path.append(Absent())
    from datasets import load_dataset
    from llamafactory.data.converter import get_dataset_converter
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.hparams import DataArguments

    attribute = get_dataset_list(["draftctl_train"], str(folder / "llamafactory"))[0]
    data = load_dataset("json", data_files=str(folder / "llamafactory" / "train.jsonl"), split="train")
    convert = get_dataset_converter(
        attribute.formatting, attribute, DataArguments(dataset_dir=str(folder / "llamafactory"))
    )
    rows = [convert(row) for row in data]
    return {
        "rows": len(data),
        "after": sum(bool(row["_prompt"] and row["_response"]) for row in rows),
        "mask_history": "mask_history: true" in (folder / "llamafactory" / "llamafactory_sft.yaml").read_text(),
    }


def run_axolotl(folder, tokenizer):
    """Axolotl's own strategies, as our YAML names them: chat_template for conversations, chat_template.default for pairs."""
    import yaml
    from axolotl.prompt_strategies.chat_template import load
    from axolotl.prompt_strategies.dpo.chat_template import default
    from axolotl.utils.dict import DictDefault
    from datasets import load_dataset

    config = yaml.safe_load((folder / "axolotl" / "axolotl_sft.yaml").read_text())
    data = load_dataset("json", data_files=str(folder / "axolotl" / "train.jsonl"), split="train")
    cfg = DictDefault(
        {"train_on_inputs": False, "sequence_len": config["sequence_len"], "chat_template": "tokenizer_default"}
    )
    strategy = load(tokenizer, cfg, ds_cfg=dict(config["datasets"][0]))
    rows = [strategy.tokenize_prompt(row) for row in data]
    trained = [tokenizer.decode([t for t in row["labels"] if t >= 0]) for row in rows]
    pairs = load_dataset("json", data_files=str(folder / "dpo" / "train.jsonl"), split="train")
    dpo = yaml.safe_load((folder / "dpo" / "axolotl_dpo.yaml").read_text())
    fields = {key: value for key, value in dpo["datasets"][0].items() if key.startswith("field_")}
    transform = default(DictDefault({"chat_template": "tokenizer_default", "datasets": [fields]}))
    transform = transform[0] if isinstance(transform, tuple) else transform
    made = [transform(row, tokenizer=tokenizer) for row in pairs]
    right = [
        m["chosen"].startswith(p["chosen"][0]["content"]) and m["rejected"].startswith(p["rejected"][0]["content"])
        for m, p in zip(made, pairs)
    ]
    return {
        "rows": len(data),
        "after": sum(bool(text) for text in trained),
        "trained": trained,
        "replies": [row["messages"][-1]["content"] for row in data],
        "dpo_rows": len(pairs),
        "dpo_after": sum(right),
    }


def main():
    folder = Path(sys.argv[1])
    tokens = folder / "tokenizer"
    if not tokens.exists():
        make_tokenizer(tokens)
    if "--tokenizer-only" in sys.argv:
        return
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tokens)
    model = folder / "model"
    make_model(model, tokenizer)
    found = {
        "trl": run_trl(folder, model, tokenizer),
        "llamafactory": run_llamafactory(folder),
        "axolotl": run_axolotl(folder, tokenizer),
    }
    print("RESULT " + json.dumps(found))


if __name__ == "__main__":
    main()
