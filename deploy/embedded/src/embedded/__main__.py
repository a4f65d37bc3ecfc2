"""Run a stack in the foreground: `python -m embedded FOLDER [DATABASE...]`."""

import argparse
import signal
import sys
from contextlib import suppress
from pathlib import Path

from embedded import StackError, start


def main() -> int:
    """Print the addresses as variables for a shell, then run until interrupted; 1 on failure."""
    parser = argparse.ArgumentParser(prog="python -m embedded", description=__doc__)
    parser.add_argument("folder", type=Path, help="where data, ports and password are kept")
    parser.add_argument("databases", nargs="*", help="databases to create, each with its own role")
    arguments = parser.parse_args()
    # Ctrl-C and SIGTERM both unwind the `with`, which stops the servers in order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt), start(arguments.folder) as stack:
            print(f"YIPAN_KAFKA_BOOTSTRAP={stack.bootstrap}")
            print(f"YIPAN_POSTGRES_URL={stack.postgres.admin_url}")
            for name in arguments.databases:
                print(f"YIPAN_{name.upper()}_DATABASE_URL={stack.create_database(name)}")
            sys.stdout.flush()
            signal.pause()
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
