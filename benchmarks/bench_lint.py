"""Lint of 200 workflows: its CPU, as a multiple of only composing the same YAML (the least that any reader must do), and of 20 workflows."""

import time
from collections.abc import Callable

import yaml

from draftctl.lint import lint_workspace
from draftctl.starter import starter_folder

KEYS = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰"
ARCHETYPES = ("courteous", "hesitant", "hurried", "chatty", "pushy", "rude", "regular")
STATES = ("new", "named", "screening", "screened", "scheduling", "booked", "after")
MANY, FEW = 200, 20


def workspace(count: int) -> dict[str, bytes]:
    """Return the shipped workspace with so many workflows; each further one is for one cell, and has texts of its own."""
    root = starter_folder()
    files = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for folder in ("pastebin", "workflows", "engines")
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
    }
    text = files["workflows/scheduling.yaml"].decode()
    applies = next(line for line in text.split("\n") if line.startswith("appliesTo"))
    cells = ((a, s, k) for a in ARCHETYPES for s in STATES for k in KEYS)
    there = sum(1 for path in files if path.startswith("workflows/") and path.endswith(".yaml")) - 3
    for n, (archetype, state, key) in zip(range(count - there), cells, strict=False):
        narrow = f'appliesTo: {{archetypes: [{archetype}], states: [{state}], templateKeys: ["{key}"]}}'
        own = (
            text.replace("id: scheduling", f"id: w-{n}")
            .replace(applies, narrow)
            .replace("Plan one", f"Plan {n} times one")
        )
        files[f"workflows/w-{n}.yaml"] = own.encode()
    return files


def cpu_s(work: Callable[[], object]) -> float:
    """Return the least CPU seconds of three runs."""
    found = []
    for _ in range(3):
        before = time.process_time()
        work()
        found.append(time.process_time() - before)
    return min(found)


def main() -> None:
    """Print the figures."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    many, few = workspace(MANY), workspace(FEW)
    texts = [content.decode() for path, content in many.items() if path.endswith(".yaml")]
    before = time.process_time()
    lint_workspace(many)
    cold = time.process_time() - before
    compose = cpu_s(lambda: [yaml.compose(text, Loader=loader) for text in texts])
    warm, small = cpu_s(lambda: lint_workspace(many)), cpu_s(lambda: lint_workspace(few))
    print(f"{MANY} workflows: {cold:.2f} s of CPU cold, {warm:.2f} s again; only composing the YAML: {compose:.2f} s")
    print(f"ratio cold / composing {cold / compose:.1f}, {MANY} / {FEW} workflows {warm / small:.1f}")


if __name__ == "__main__":
    main()
