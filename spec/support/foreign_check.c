/* SPDX-License-Identifier: MIT
**
** foreign_check.c - makes LMDB files of all kinds, from a seed, with liblmdb itself: trees of every
** flag, big values, deletions, drops, rollbacks, children. The seed of the fuzzer's corpus, and the
** proof that the check knows what LMDB writes.
**
**     usage: foreign_check PATH SEED PAGE_SIZE TRANSACTIONS
*/
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long page_size = 4096;

/* LMDB takes its page size from the system: small pages make small files with deep trees. */
long sysconf(int name) {
  if (name == _SC_PAGESIZE) return page_size;
  return -1; /* LMDB asks for nothing else */
}

static unsigned state;

static unsigned pick(unsigned n) {
  state = state * 1103515245u + 12345u;
  return (state >> 8) % n;
}

static void must(int rc, const char *what) {
  if (rc == 0) return;
  fprintf(stderr, "%s: %s\n", what, mdb_strerror(rc));
  exit(1);
}

static const struct kind {
  const char *name;
  unsigned flags;
} kinds[] = {{"plain", 0},
             {"reverse", MDB_REVERSEKEY},
             {"integer", MDB_INTEGERKEY},
             {"dups", MDB_DUPSORT},
             {"fixed", MDB_DUPSORT | MDB_DUPFIXED},
             {"integers", MDB_DUPSORT | MDB_DUPFIXED | MDB_INTEGERDUP},
             {"backwards", MDB_DUPSORT | MDB_REVERSEDUP | MDB_INTEGERKEY}};
#define KINDS (sizeof kinds / sizeof *kinds)

static MDB_val number(size_t *into, unsigned n) {
  *into = pick(n);
  return (MDB_val){sizeof *into, into};
}

static MDB_val text(char *into, unsigned kinds_of, unsigned size_max) {
  int n = sprintf(into, "%u", pick(kinds_of));
  size_t size = (size_t)n + pick(size_max);
  memset(into + n, 'a' + (int)pick(3), size - (size_t)n);
  return (MDB_val){size, into};
}

static void change(MDB_txn *txn, const MDB_dbi *dbis) {
  static char key_text[64], value_text[20000];
  size_t key_number, value_number;
  unsigned i = pick(KINDS), flags = kinds[i].flags, big = pick(30) == 0 ? 5 : 1;
  MDB_val key = (flags & MDB_INTEGERKEY) != 0 ? number(&key_number, 60) : text(key_text, 150, 9);
  MDB_val value = text(value_text, 999, big * (unsigned)page_size / 3);
  if ((flags & MDB_DUPSORT) != 0) {
    key = (flags & MDB_INTEGERKEY) != 0 ? number(&key_number, 5) : text(key_text, 5, 1);
    value = text(value_text, 200, 12);
    if ((flags & MDB_DUPFIXED) != 0) value = number(&value_number, 300);
  }
  int rc = pick(5) < 3 ? mdb_put(txn, dbis[i], &key, &value, 0)
                       : mdb_del(txn, dbis[i], &key, pick(9) == 0 ? NULL : &value);
  if (rc != MDB_NOTFOUND) must(rc, "change");
  if (pick(400) == 0) must(mdb_drop(txn, dbis[i], 0), "drop");
}

int main(int argc, char **argv) {
  MDB_env *env;
  MDB_txn *txn, *child;
  MDB_dbi dbis[KINDS];
  if (argc != 5) return 2;
  state = (unsigned)atoi(argv[2]);
  page_size = atol(argv[3]);
  must(mdb_env_create(&env), "create");
  must(mdb_env_set_mapsize(env, 256u << 20), "map");
  must(mdb_env_set_maxdbs(env, KINDS), "maxdbs");
  must(mdb_env_open(env, argv[1], MDB_NOSUBDIR | MDB_NOSYNC | MDB_NOLOCK, 0600), "open");
  must(mdb_txn_begin(env, NULL, 0, &txn), "begin");
  for (unsigned i = 0; i < KINDS; i++)
    must(mdb_dbi_open(txn, kinds[i].name, MDB_CREATE | kinds[i].flags, &dbis[i]), "dbi");
  must(mdb_txn_commit(txn), "commit");
  for (int t = atoi(argv[4]); t > 0; t--) {
    must(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    for (unsigned n = pick(40); n > 0; n--)
      change(txn, dbis);
    must(mdb_txn_begin(env, txn, 0, &child), "child");
    for (unsigned n = pick(20); n > 0; n--)
      change(child, dbis);
    if (pick(2) == 0)
      mdb_txn_abort(child);
    else
      must(mdb_txn_commit(child), "commit");
    for (unsigned n = pick(20); n > 0; n--)
      change(txn, dbis);
    if (pick(6) == 0)
      mdb_txn_abort(txn);
    else
      must(mdb_txn_commit(txn), "commit");
  }
  mdb_env_close(env);
  return 0;
}
