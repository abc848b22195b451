# SPDX-License-Identifier: Apache-2.0
"""What the programs of the lab share: cases in TAP, checks, times."""
import os
import statistics
import sys
import time
import traceback

sys.dont_write_bytecode = True
import guest  # noqa: E402


class Times:
    """Seconds under a name; print() tells the median of each."""

    def __init__(self):
        self.seconds = {}

    def take(self, name, work):
        began = time.monotonic()
        result = work()
        self.add(name, time.monotonic() - began)
        return result

    def add(self, name, seconds):
        self.seconds.setdefault(name, []).append(seconds)

    def print(self):
        for name, list_ in self.seconds.items():
            print(f"# {statistics.median(list_):7.2f} s  {name}"
                  + (f" (median of {len(list_)})" if len(list_) > 1 else ""))


def check(condition, *about):
    if not condition:
        raise AssertionError("\n".join(str(item) for item in about) or "check failed")


def eventually(condition, what, seconds=30.0):
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        check(time.monotonic() < end, f"{what}: not within {seconds} s")
        time.sleep(0.2)


def evidence(lab):
    """What the guests that are up have to say of a failure."""
    for name in lab.processes:
        said = lab.ssh(name, "dmesg | tail -n 15; tail -n 30 /var/log/sanlock.log /run/corosync.log",
                       limit=20).stdout
        print("".join(f"# {name}: {line}\n" for line in said.splitlines()), end="")


def build_directory(program):
    """Of a test program in BUILD/tests, or of one in BUILD."""
    folder = os.path.dirname(os.path.abspath(program))
    return os.path.dirname(folder) if os.path.basename(folder) == "tests" else folder


def run(cases, make_lab, build, programs, wanted=()):
    """Runs cases(lab) in order, on one lab; the process's exit status."""
    guest.end_on_signals()
    reason = guest.missing(build, programs)
    if reason:
        print("1..0 # SKIP " + reason)
        return guest.SKIPPED
    cases = [case for case in cases if not wanted or case.__name__ in wanted]
    print(f"1..{len(cases)}", flush=True)
    failed, lab = 0, None
    try:
        lab = make_lab()
        for number, case in enumerate(cases, 1):
            name, began = case.__name__.replace("_", " "), time.monotonic()
            try:
                case(lab)
                print(f"ok {number} - {name}")
            except Exception as error:  # noqa: BLE001
                failed += 1
                print(f"not ok {number} - {name}")
                text = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
                for line in text.splitlines() or [repr(error)]:
                    print("# " + line)
                evidence(lab)
            print(f"# {time.monotonic() - began:.1f} s", flush=True)
    finally:
        if lab:
            lab.close()
    return 1 if failed else 0
