"""The formats that corrections leave in; a new one is one file here and one line in this list."""

from draftctl.exports import axolotl, dpo, kto, llamafactory, openai, sft

FORMATS = {module.FORMAT.name: module.FORMAT for module in (sft, dpo, kto, openai, llamafactory, axolotl)}
