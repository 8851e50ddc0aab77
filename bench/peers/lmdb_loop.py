# The loops of bench/store.lua with py-lmdb.
# usage: lmdb_loop.py append_durable|read|scan FILE TREE COUNT SIZE BATCH
# Prints the seconds it took, without opening and closing.
import struct
import sys
import time

import lmdb

kind, path, tree, count, size, batch = sys.argv[1:3] + [sys.argv[3]] + list(map(int, sys.argv[4:7]))
env = lmdb.open(path, subdir=False, map_size=1 << 40, max_dbs=130)
db = env.open_db(tree.encode(), create=kind == "append_durable")
pack = struct.Struct(">Q").pack


def append():
    data, i = b"x" * size, 1
    while i <= count:
        with env.begin(write=True, db=db) as txn:
            put = txn.put
            for n in range(i, min(i + batch, count + 1)):
                put(pack(n), data, append=True)
        i += batch


def read():
    total, at = 0, 1
    with env.begin(db=db) as txn:
        get = txn.get
        for _ in range(count):
            at = (at * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
            total += len(get(pack((at >> 33) % count + 1)))


def scan():
    total = 0
    with env.begin(db=db) as txn:
        for key, value in txn.cursor():
            total += len(value)


loop = {"append_durable": append, "read": read, "scan": scan}[kind]
started = time.monotonic()
loop()
print("%.6f" % (time.monotonic() - started))
