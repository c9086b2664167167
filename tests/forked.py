"""The program in a process of its own, forked from one that has loaded it already: the same command line, in a third of the time."""

import multiprocessing
import multiprocessing.process
import os
import sys
import tempfile
from pathlib import Path

_SPAWNER = multiprocessing.get_context("forkserver")
_SPAWNER.set_forkserver_preload(
    ["draftctl.cli.main", "draftctl.service", "draftctl.runner", "draftctl.store.people", "tests.forked"]
)


def _main(arguments: list[str], cwd: str, environment: dict[str, str], streams: tuple[str, str, str]) -> None:
    """Become the program."""
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for number, (name, flags) in enumerate(zip(streams, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True)):
        descriptor = os.open(name, flags)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, buffering=1)  # noqa: SIM115
    sys.argv = ["draftctl", *arguments]
    from draftctl.__main__ import main

    code: object = 0
    try:
        main()
    except SystemExit as error:
        code = error.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1 if code else 0)


def run(arguments: list[str], cwd: Path, environment: dict[str, str], stdin: bytes) -> tuple[int, bytes, bytes]:
    """Run the program; return its exit code (negative: the signal that ended it), stdout and stderr."""
    with tempfile.TemporaryDirectory() as folder:
        names = tuple(f"{folder}/{n}" for n in range(3))
        for name, content in zip(names, (stdin, b"", b""), strict=True):
            Path(name).write_bytes(content)
        process = _SPAWNER.Process(target=_main, args=(arguments, str(cwd), environment, names))
        process.start()
        process.join()
        out, err = Path(names[1]).read_bytes(), Path(names[2]).read_bytes()
    return process.exitcode or 0, out, err


def start(arguments: list[str], cwd: Path, environment: dict[str, str]) -> multiprocessing.process.BaseProcess:
    """Start the program in the background, for a test that kills it; what it says is thrown away."""
    names = ("/dev/null", "/dev/null", "/dev/null")
    process = _SPAWNER.Process(target=_main, args=(arguments, str(cwd), environment, names))
    process.start()
    return process
