# SPDX-License-Identifier: Apache-2.0
"""What the tests of hosts share: a front-end that does as it is told, and what to look at after it.

NAME.py HOSTTOOL [CASE...]; TAP. `lab` is set before the first case runs, here and in the test.
"""
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import hostlab  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TOOL = os.path.abspath(sys.argv[1])
BUILD_DIR = os.path.dirname(os.path.dirname(TOOL))
ONE = "/var/lib/one"
lab = None


class Skip(Exception):
    pass


class Done:
    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    def __repr__(self):
        return f"exit {self.code} after {self.seconds:.2f} s\n{self.out}\n{self.err}"


class Running:
    """A front-end at work. Commands are lists of words, or text without blanks in words."""

    def __init__(self, *commands, front="fe", **environment):
        words = []
        for command in commands:
            words += [","] if words else []
            words += command.split() if isinstance(command, str) else command
        self.start = time.monotonic()
        self.process = subprocess.Popen(
            lab.enter(front, TOOL, *words), env=lab.environment(**environment),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, limit=30):
        out, err = self.process.communicate(timeout=limit)
        return Done(self.process.returncode, out, err, time.monotonic() - self.start)

    def pid(self):
        """Of the tool itself, below nsenter."""
        for _ in range(200):
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as children:
                found = children.read().split()
            if found:
                return int(found[0])
            time.sleep(0.01)
        raise AssertionError("the tool did not start")


def tool(*commands, **environment):
    return Running(*commands, **environment).end()


def check(condition, *about):
    if not condition:
        raise AssertionError("\n".join(str(item) for item in about) or "check failed")


def works(*commands, **environment):
    done = tool(*commands, **environment)
    check(done.code == 0, done)
    return done.out


def fails(done, code, *texts, within=8.0):
    check(done.code == code, f"wanted exit {code}", done)
    for text in texts:
        check(text in done.err, f"wanted '{text}'", done)
    check(done.seconds < within, f"wanted less than {within} s", done)


def logins(host):
    with open(lab.path(host, "log")) as log:
        return sum("Accepted publickey" in line for line in log)


def eventually(condition, what, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, f"{what}: not within {seconds} s")
        time.sleep(0.05)


def agents(host):
    return lab.on(host, "pgrep -f '^/var/tmp/onevol-agent-0/agent-.* serve' || true").split()


def idle(host):
    """No agent runs there and no lock is held."""
    eventually(lambda: not agents(host), f"agents on {host} are gone")
    held = lab.on(host, "for f in /var/tmp/onevol-0/lock-*; do [ -e $f ] || continue; "
                        "flock -n $f true || echo $f; done")
    check(held == "", "locks are held", held)


def clean(host, path=ONE):
    left = lab.on(host, f"find {path} -name '*.part' -o -name '*.new-*'")
    check(left == "", "leftovers", left)


def main(cases, test, argument=2):
    global lab
    wanted = sys.argv[argument:]
    cases = [case for case in cases if not wanted or case.__name__ in wanted]
    reason = hostlab.missing()
    if reason:
        print(f"1..0 # SKIP {reason}")
        sys.exit(77)
    print(f"1..{len(cases)}", flush=True)
    lab = test["lab"] = hostlab.Lab(["fe", "h1", "h2"])
    failures = 0
    try:
        for number, case in enumerate(cases, 1):
            start, result, why = time.monotonic(), "ok", ""
            try:
                case()
            except Skip as skip:
                why = f" # SKIP {skip}"
            except Exception as error: # the next case may still tell something
                result, failures = "not ok", failures + 1
                print("# " + f"{type(error).__name__}: {error}".replace("\n", "\n# "))
            print(f"{result} {number} - {case.__name__.replace('_', ' ')}{why}", flush=True)
            print(f"# {time.monotonic() - start:.1f} s", flush=True)
    finally:
        lab.close()
    sys.exit(1 if failures else 0)
