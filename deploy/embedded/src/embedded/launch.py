"""Become a server that dies with its parent; run as a script, never imported by others.

A script of its own and not `preexec_fn`: code between fork and exec of a program with threads may
deadlock, and a process of its own has one thread, which a new user namespace demands.

    launch.py PARENT_PID DEATH_SIGNAL AS_NOBODY COMMAND...
"""

import ctypes
import os
import signal
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
NOBODY = 65534


def main() -> None:
    """Leave the terminal's session, give up root if asked to, tie the life to the parent's."""
    parent_pid, death_signal, as_nobody = map(int, sys.argv[1:4])
    command = sys.argv[4:]
    libc = ctypes.CDLL(None, use_errno=True)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the parent may have blocked what stops us
    os.setsid()  # Ctrl-C reaches the parent alone, which stops its servers in order
    if as_nobody:
        become_nobody(libc)
    # After the change of credentials, which clears it.
    libc.prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent_pid:
        sys.exit("the parent died before the start")
    os.execv(command[0], command)  # noqa: S606 - becoming the server is the purpose


def become_nobody(libc: ctypes.CDLL) -> None:
    """Show this process as `nobody` to itself, while its files stay root's outside.

    PostgreSQL refuses to run as root; a user namespace satisfies it without a second account.
    """
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER):
        reason = os.strerror(ctypes.get_errno())
        sys.exit(
            f"PostgreSQL does not run as root, and this system does not let root map itself to "
            f"another user ({reason}): run as an ordinary user"
        )
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{NOBODY} {uid} 1"),
        ("gid_map", f"{NOBODY} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(text)


if __name__ == "__main__":
    main()
