"""Runs a command at a terminal of its own and plays the person at it.

usage: terminal.py STEPS COMMAND...
STEPS is JSON: [{"wait": text, "send": text}, ...]; a step with "hangup" closes the terminal.
Prints JSON: {"code": exit code or minus the signal, "output": all that the terminal showed}.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

DEADLINE = time.monotonic() + 25


def main():
    steps, command = json.loads(sys.argv[1]), sys.argv[2:]
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
        os.execvp(command[0], command)
    shown, at, is_open = "", 0, True
    while is_open:
        if steps and steps[0]["wait"] in shown[at:]:
            step = steps.pop(0)
            at = shown.index(step["wait"], at) + len(step["wait"])
            if step.get("hangup"):
                break
            os.write(terminal, step["send"].encode())
            continue
        if time.monotonic() > DEADLINE:
            os.kill(pid, signal.SIGKILL)
            shown += f"\n[killed, still waiting for {steps[:1]}]"
            break
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                chunk = os.read(terminal, 65536)
            except OSError:  # the command has ended
                chunk = b""
            is_open = chunk != b""
            shown += chunk.decode(errors="replace")
    os.close(terminal)
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > DEADLINE:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    print(json.dumps({"code": os.waitstatus_to_exitcode(status), "output": shown}))


main()
