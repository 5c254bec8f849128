"""``python -m sensor2sensor doctor | schemas``.

doctor    versions, drivers, devices, roots and free disk, and what is wrong with them
schemas   write the JSON Schemas of environment, experiment, selection and dataset to schemas/
"""

from __future__ import annotations

import argparse
import sys

from sensor2sensor.core import cli


def main(argv: list[str] | None = None) -> int:
    """Run the command named on the command line; returns the exit code."""
    parser = cli.parser(__doc__ or "", prog="python -m sensor2sensor")
    parser.add_argument("command", choices=("doctor", "schemas"))
    return cli.main_guard(_run, parser, argv)


def _run(args: argparse.Namespace) -> int:
    if args.command == "schemas":
        from sensor2sensor.schemas import write_schemas

        return write_schemas()
    from sensor2sensor.doctor import examine

    return examine(args.environment)


if __name__ == "__main__":
    sys.exit(main())
