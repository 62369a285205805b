"""How the scripts of this folder are called, under `blender -b -P SCRIPT -- ARGS` and under Python with bpy alike.

``SCRIPT JOB.json...`` does each job file in turn and ends. ``SCRIPT --serve FD`` reads one JSON object a line from
standard input and writes one line for each to the file descriptor FD, apart from standard output, where Blender and its
add-ons print what they like. The process ends with whoever holds the other end of its standard input.
"""

import errno
import json
import os
import select
import sys
import threading
import traceback
from pathlib import Path


class JobError(Exception):
    """A job that cannot be done, for a reason that the user can understand; the message is a sentence."""


def arguments():
    """The script's own arguments."""
    if "--" in sys.argv:
        return sys.argv[sys.argv.index("--") + 1 :]
    under_blender = Path(sys.argv[0]).stem.lower() == "blender"
    return [] if under_blender else sys.argv[1:]


def main(do, greeting):
    """Run a script: `do` takes a job (dict) and returns an answer (dict); `greeting` (dict) is sent when ready."""
    given = arguments()
    if given[:1] == ["--serve"] and len(given) == 2:
        _serve(do, greeting, int(given[1]))
    elif given and not given[0].startswith("-"):
        for path in given:
            job = json.loads(Path(path).read_text(encoding="utf-8"))
            try:
                sys.stdout.write(json.dumps(do(job)) + "\n")
            except JobError as error:
                sys.exit(f"{path}: {error}")
    else:
        sys.exit("give one or more job files (JSON), or --serve FD; see the head of the script")


def _serve(do, greeting, descriptor):
    threading.Thread(target=_leave_with_caller, daemon=True).start()
    # Not sys.stdin: Blender replaces it in some builds.
    with os.fdopen(descriptor, "w", encoding="utf-8") as answers, os.fdopen(os.dup(0), "rb") as requests:
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
    """The errno of a full disk or a used up quota, if that is what an error or what led to it says; else None."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return error.errno
        error = error.__cause__ or error.__context__
    return None


def _send(answers, message):
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _leave_with_caller():
    """End the process as soon as the other end of standard input is closed, even in the middle of a job."""
    poll = select.poll()
    poll.register(0, 0)
    while True:
        for _, event in poll.poll():
            if event & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
                os._exit(1)
