"""The console script. `--version` answers before anything heavy is imported; everything else is the command line's."""

import sys

from draftctl import __version__


def main() -> None:
    """Answer `draftctl --version` at the cost of a bare interpreter; hand everything else to the command line."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"draftctl {__version__}\n")
        return
    from draftctl.cli.main import run  # noqa: PLC0415  (typer costs ten times what --version does)

    run()


if __name__ == "__main__":
    main()
