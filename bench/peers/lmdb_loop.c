/* SPDX-License-Identifier: MIT
**
** lmdb_loop.c - the loops of bench/store.lua in C on liblmdb: the most that any binding can reach.
**
** usage: lmdb_loop append|append_durable|read|scan FILE TREE COUNT SIZE BATCH
** Prints the seconds it took, without opening and closing.
*/
#include <lmdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void check(int rc, const char *what) {
  if (rc == 0) return;
  fprintf(stderr, "lmdb_loop: %s: %s\n", what, mdb_strerror(rc));
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void encode(unsigned char key[8], uint64_t n) {
  for (int i = 7; i >= 0; i--, n >>= 8) key[i] = (unsigned char)n;
}

static void append(MDB_env *env, MDB_dbi dbi, uint64_t count, size_t size, uint64_t batch) {
  unsigned char bytes[8];
  char *data = malloc(size);
  memset(data, 'x', size);
  for (uint64_t i = 1; i <= count;) {
    MDB_txn *txn;
    check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    for (uint64_t end = i + batch; i < end && i <= count; i++) {
      encode(bytes, i);
      MDB_val key = {8, bytes}, value = {size, data};
      check(mdb_put(txn, dbi, &key, &value, MDB_APPEND), "put");
    }
    check(mdb_txn_commit(txn), "commit");
  }
  free(data);
}

static uint64_t read_all(MDB_txn *txn, MDB_dbi dbi, uint64_t count) {
  unsigned char bytes[8];
  uint64_t sum = 0, at = 1;
  for (uint64_t i = 0; i < count; i++) {
    at = at * 6364136223846793005u + 1442695040888963407u; /* the order bench/store.lua reads in */
    encode(bytes, (at >> 33) % count + 1);
    MDB_val key = {8, bytes}, value;
    check(mdb_get(txn, dbi, &key, &value), "get");
    sum += ((unsigned char *)value.mv_data)[0] + value.mv_size;
  }
  return sum;
}

static uint64_t scan_all(MDB_txn *txn, MDB_dbi dbi) {
  MDB_cursor *cursor;
  MDB_val key, value;
  uint64_t sum = 0;
  check(mdb_cursor_open(txn, dbi, &cursor), "cursor");
  while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0)
    sum += ((unsigned char *)value.mv_data)[0] + value.mv_size;
  mdb_cursor_close(cursor);
  return sum;
}

int main(int argc, char **argv) {
  MDB_env *env;
  MDB_txn *txn;
  MDB_dbi dbi;
  if (argc != 7) {
    fprintf(stderr, "usage: lmdb_loop append|append_durable|read|scan FILE TREE COUNT SIZE BATCH\n");
    return 2;
  }
  uint64_t count = strtoull(argv[4], NULL, 10), batch = strtoull(argv[6], NULL, 10), sum = 0;
  size_t size = strtoull(argv[5], NULL, 10);
  check(mdb_env_create(&env), "create");
  check(mdb_env_set_mapsize(env, (size_t)1 << 40), "mapsize");
  check(mdb_env_set_maxdbs(env, 130), "maxdbs");
  unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | (strcmp(argv[1], "append") == 0 ? MDB_NOSYNC : 0);
  check(mdb_env_open(env, argv[2], flags, 0600), argv[2]);
  check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
  check(mdb_dbi_open(txn, argv[3], MDB_CREATE, &dbi), argv[3]);
  check(mdb_txn_commit(txn), "commit");
  double started = now();
  if (strncmp(argv[1], "append", 6) == 0) {
    append(env, dbi, count, size, batch);
  } else {
    check(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "begin");
    sum = strcmp(argv[1], "read") == 0 ? read_all(txn, dbi, count) : scan_all(txn, dbi);
    mdb_txn_abort(txn);
  }
  printf("%.6f %llu\n", now() - started, (unsigned long long)sum);
  mdb_env_close(env);
  return 0;
}
