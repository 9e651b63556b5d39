"""Runs a command at a terminal and types what it asks for.

Called by `story/terminal.rs` with what is to be typed, as JSON (a list of a prompt and the answer to it), and the
command. Prints as JSON how the command ended and all that the terminal showed.
"""

import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time

PATIENCE = 60

typed, *command = sys.argv[1:]
waiting = json.loads(typed)
ends = time.monotonic() + PATIENCE

child, terminal = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.execv(command[0], command)

shown = b""
looked_at = 0
while True:
    if not select.select([terminal], [], [], max(0, ends - time.monotonic()))[0]:
        os.kill(child, 9)
        sys.exit(f"{command} took more than {PATIENCE} s and had shown {shown!r}")
    try:
        more = os.read(terminal, 4096)
    except OSError:  # so Linux says that nobody holds the other end any more
        break
    if not more:
        break
    shown += more
    if waiting and (at := shown.find(waiting[0][0].encode(), looked_at)) >= 0:
        prompt, answer = waiting.pop(0)
        looked_at = at + len(prompt)
        # A person is slower than a program that turns the echo off; one that never does shows what was typed.
        hidden_by = time.monotonic() + 5
        while termios.tcgetattr(terminal)[3] & termios.ECHO and time.monotonic() < hidden_by:
            time.sleep(0.01)
        os.write(terminal, answer.encode() + b"\n")

code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps({"code": code, "shown": shown.decode(errors="replace"), "not_asked": waiting}))
