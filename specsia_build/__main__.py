"""Entry point of `specsia` and `python -m specsia_build`."""

import sys


def main() -> None:
    """Run the command of this process's arguments."""
    try:
        from specsia_build.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("specsia: stopped before it began\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
