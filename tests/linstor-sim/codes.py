# SPDX-License-Identifier: Apache-2.0
"""LINSTOR's return codes: a signed 64-bit number of severity, operation, object and code.

Numbers from consts.json of LINBIT/linstor-common.
"""

ERROR, WARN, INFO, SUCCESS = 0xC << 60, 0x8 << 60, 0x4 << 60, 0
CREATE, MODIFY, DELETE = 1 << 24, 2 << 24, 3 << 24
OBJECTS = {"Node": 0x3C, "RscDfn": 0x38, "Rsc": 0x34, "VlmDfn": 0x30, "Vlm": 0x2C, "RscConn": 0x24,
           "StorPool": 0x14, "Ctrl": 0x10, "Snapshot": 0x0C, "Kvs": 0x40, "RscGrp": 0x44,
           "VlmGrp": 0x48, "": 0}

CREATED, DELETED, MODIFIED = 1, 2, 3
PASSPHRASE_ACCEPTED = 4

INVALID_NODE_NAME, INVALID_RSC_NAME, INVALID_VOLUME_SIZE, INVALID_POOL_NAME = 200, 202, 206, 208
INVALID_PROP, INVALID_SNAPSHOT_NAME, INVALID_PLACE_COUNT, INVALID_LAYER_KIND = 213, 218, 219, 224
INVALID_LAYER_STACK, INVALID_PROVIDER, INVALID_VOLUME_SIZES, INVALID_GROUP_NAME = 225, 227, 228, 237
NO_NODE, NO_RSC_DFN, NO_RSC, NO_VLM_DFN, NO_VLM = 300, 301, 302, 303, 304
NO_POOL_DFN, NO_POOL, NO_DEFAULT_POOL, NO_CRYPT_KEY = 309, 310, 311, 312
NO_SNAPSHOT_DFN, NO_SNAPSHOT, NO_GROUP, NO_KVS = 313, 315, 317, 316
DENIED_COMMAND = 412
EXISTS_NODE, EXISTS_RSC_DFN, EXISTS_RSC, EXISTS_VLM_DFN = 500, 501, 502, 503
EXISTS_POOL, EXISTS_CRYPT, EXISTS_SNAPSHOT_DFN, EXISTS_GROUP = 510, 512, 514, 522
WRONG_PASSPHRASE = 600
NOT_ALL_UPTODATE, DEPENDENT_BACKUP, SNAPSHOT_NOT_UPTODATE, NO_FREE_SPACE = 974, 977, 979, 980
LAYER_UNSUPPORTED, TOO_FEW_REPLICAS, NO_PEER_SLOTS, NO_SNAPSHOTS = 988, 991, 993, 994
NOT_CONNECTED, NOT_ENOUGH_NODES, IN_USE, UNKNOWN_ERROR, IMPL_ERROR = 995, 996, 997, 998, 999
SIGN_IN, NO_CREDENTIALS = 10000, 10001
PARSE_ERROR = 0x0FFFFFFFFFFFFFFD  # with ERROR: the whole of 0xCFFFFFFFFFFFFFFD

W_NOT_CONNECTED, W_ALREADY_DEPLOYED, W_LAYER_ADDED, W_NO_NODE_FOR_TIE_BREAKER = 1002, 1006, 1012, 1013
W_SAME_SIZE, W_NOT_FOUND = 1023, 3000
I_NOT_SPAWNED, I_TIE_BREAKER, I_TIE_BREAKER_DELETING, I_TIE_BREAKER_TAKEOVER = 10000, 10003, 10004, 10006
I_NOOP, I_RSC_EXISTS = 10007, 10008


def signed(number):
    return number - (1 << 64) if number >= 1 << 63 else number


def number(severity, operation, kind, code):
    return signed(severity | operation | OBJECTS[kind] << 16 | code)


def severity(ret_code):
    return ret_code & ERROR


def code(ret_code):
    return ret_code & 0x7FFF


def http_status(ret_code):
    """What the first error of an answer makes of its status."""
    value = code(ret_code)
    if 300 <= value < 400:
        return 404
    if value == NO_CREDENTIALS:
        return 401
    if 400 <= value < 500 or value == SIGN_IN:
        return 403
    return 500
