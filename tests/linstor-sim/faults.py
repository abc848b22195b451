# SPDX-License-Identifier: Apache-2.0
"""What goes wrong on request.

A fault is a JSON object: method and path (regular expressions over the whole), nth (1: the next such
call), times (1; 0: for ever), kind and what that needs:

    error     code, message: an error answer; nothing is applied
    applied   the same, but the call was carried out
    resize    the call is carried out, its devices keep their old size, the answer is an error
    snapshot  a satellite fails: the snapshot is there, failed, and the answer is an error
    nothing   200 with an empty list, or with `entries`; nothing is applied
    status    status, body, type: an answer that is not LINSTOR's
    drop      the connection ends before anything is applied
    lost      carried out, then the connection ends
    cut       carried out, the answer ends half-way
    hang      no answer, for `seconds` (60)
    delay     `seconds` late
    swallow   carried out, never answered
"""
import re


class Faults:
    def __init__(self):
        self.rows = []

    def add(self, row):
        row.setdefault("method", ".*")
        row.setdefault("path", ".*")
        row["left"], row["skip"] = row.get("times", 1), row.get("nth", 1) - 1
        self.rows.append(row)

    def clear(self):
        self.rows = []

    def match(self, method, path):
        for row in self.rows:
            if not re.fullmatch(row["method"], method) or not re.fullmatch(row["path"], path):
                continue
            if row["skip"] > 0:
                row["skip"] -= 1
                continue
            if row["left"] == 1:
                self.rows.remove(row)
            row["left"] -= 1 if row["left"] else 0
            return row
        return None
