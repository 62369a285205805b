"""How specsia's scripts are called, under `blender -b -P SCRIPT -- --serve FD` and `python SCRIPT --serve FD`
alike.

A script reads one JSON object a line from standard input and writes one line for each to the file descriptor
FD, apart from standard output, where Blender and its add-ons print. It ends with the process at the other end
of its input.
"""

import errno
import json
import os
import select
import sys
import threading
import traceback


class JobError(Exception):
    """A job that cannot be done, for a reason that the user can understand; the message is a sentence."""


def main(do, greeting):
    """Run a script: `do` takes a job (dict) and returns an answer (dict); `greeting` (dict) is sent when
    ready."""
    if len(sys.argv) < 3 or sys.argv[-2] != "--serve":
        sys.exit("this script is started by specsia: SCRIPT --serve DESCRIPTOR")
    threading.Thread(target=_leave_with_caller, daemon=True).start()
    # Not sys.stdin: Blender replaces it in some builds.
    with (
        os.fdopen(int(sys.argv[-1]), "w", encoding="utf-8") as answers,
        os.fdopen(os.dup(0), "rb") as requests,
    ):
        _send(answers, greeting)
        for line in iter(requests.readline, b""):
            try:
                answer = {"ok": do(json.loads(line))}
            except JobError as error:
                answer = {"error": str(error)}
            except Exception as error:  # the caller decides what a fault of the script means
                answer = {"fault": traceback.format_exc(), "full": _full(error)}
            _send(answers, answer)
    os._exit(0)


def _full(error):
    """The errno of a full disk or a used up quota, if an error or its cause has one; else None."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return error.errno
        error = error.__cause__ or error.__context__
    return None


def _send(answers, message):
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _leave_with_caller():
    """End the process once the other end of standard input is closed, even in the middle of a job."""
    poll = select.poll()
    poll.register(0, 0)
    while True:
        for _, event in poll.poll():
            if event & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
                os._exit(1)
