"""What `--version` and `--help` cost beside a bare interpreter and a typer hello: CPU seconds, median of interleaved runs."""

import resource
import statistics
import subprocess
import sys

RUNS = 15
HELLO = (
    "import typer\napp = typer.Typer()\n@app.command()\ndef main(name: str = 'x') -> None:\n    print(name)\napp()\n"
)
COMMANDS = {
    "bare interpreter": [sys.executable, "-c", "pass"],
    "draftctl --version": [sys.executable, "-m", "draftctl", "--version"],
    "typer hello --help": [sys.executable, "-c", HELLO, "--help"],
    "draftctl --help": [sys.executable, "-m", "draftctl", "--help"],
}


def cpu_s(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    seen: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, command in COMMANDS.items():
            seen[name].append(cpu_s(command))
    middle = {name: statistics.median(values) for name, values in seen.items()}
    for name, value in middle.items():
        print(f"{name:<20} {value * 1000:6.1f} ms CPU")
    print(f"--version / bare: {middle['draftctl --version'] / middle['bare interpreter']:.2f} (at most 2)")
    print(f"--help / typer hello: {middle['draftctl --help'] / middle['typer hello --help']:.2f} (at most 1.3)")


if __name__ == "__main__":
    main()
