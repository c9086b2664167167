"""The configurations that trainers read, ready but for the model's name. Pure."""

from draftctl.exports.base import Facts

_LORA = "use_peft: true\nlora_r: 16\nlora_alpha: 32\nlora_target_modules: all-linear\n"


def trl_config(facts: Facts, more: str) -> str:
    """Return a configuration for `trl sft|dpo|kto --config`. A row longer than max_length would be dropped in silence."""
    test = "dataset_test_split: test\neval_strategy: epoch\n" if facts.rows["test"] else 'eval_strategy: "no"\n'
    return (
        "# trl sft|dpo|kto --config THIS-FILE   (from this folder)\n"
        "model_name_or_path: YOUR-MODEL\ndataset_name: .\ndataset_train_split: train\n"
        f"{test}max_length: {facts.max_length}  # {_why(facts)}\n{more}{_LORA}"
        "output_dir: output\nper_device_train_batch_size: 1\ngradient_accumulation_steps: 8\nlearning_rate: 1.0e-5\n"
        "num_train_epochs: 2.0\nseed: 0\n"
    )


def axolotl_config(facts: Facts, head: str, dataset: str) -> str:
    """Return a configuration for `axolotl train`."""
    test = (
        f"test_datasets:\n  - path: test.jsonl\n    ds_type: json\n    split: train\n{dataset}"
        if facts.rows["test"]
        else ""
    )
    return (
        "# axolotl train THIS-FILE   (from this folder)\n"
        f"base_model: YOUR-MODEL\n{head}datasets:\n  - path: train.jsonl\n    ds_type: json\n    split: train\n{dataset}{test}"
        f"sequence_len: {facts.max_length}  # {_why(facts)}\nexcess_length_strategy: raise\n"
        "adapter: lora\nlora_r: 16\nlora_alpha: 32\nlora_target_linear: true\n"
        "micro_batch_size: 1\ngradient_accumulation_steps: 8\nlearning_rate: 1.0e-5\nnum_epochs: 2\nseed: 0\noutput_dir: output\n"
    )


def _why(facts: Facts) -> str:
    return (
        "the longest row, by your tokenizer"
        if facts.measured
        else "no row can be longer: its bytes; --tokenizer measures tokens"
    )
