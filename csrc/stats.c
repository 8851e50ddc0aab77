/* SPDX-License-Identifier: MIT
**
** stats.c - what a DB and its buckets tell of themselves: info, stats, readers, count.
*/
#include "bucket.h"
#include "journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void jg_add_counts(jg_counts *sum, const jg_counts *counts) {
  sum->gets += counts->gets;
  sum->puts += counts->puts;
  sum->deletes += counts->deletes;
  sum->appended += counts->appended;
  sum->cursors += counts->cursors;
  sum->moves += counts->moves;
  sum->savepoints += counts->savepoints;
}

void jg_push_counts(lua_State *L, const jg_counts *counts) {
  jg_set_integer(L, "gets", counts->gets);
  jg_set_integer(L, "puts", counts->puts);
  jg_set_integer(L, "deletes", counts->deletes);
  jg_set_integer(L, "appended", counts->appended);
  jg_set_integer(L, "cursors", counts->cursors);
  jg_set_integer(L, "cursor_moves", counts->moves);
  jg_set_integer(L, "savepoints", counts->savepoints);
}

/* ---- readers ------------------------------------------------------------------------------- */

typedef struct reader_text { /* LMDB tells of readers by lines of text, through a callback */
  char *text;                /* which must not raise: collected here first */
  size_t size;
  bool failed;
} reader_text;

static int collect(const char *line, void *context) {
  reader_text *readers = context;
  size_t size = strlen(line);
  char *text = realloc(readers->text, readers->size + size + 1);
  if (text == NULL) {
    readers->failed = true;
    return -1;
  }
  memcpy(text + readers->size, line, size + 1);
  readers->text = text;
  readers->size += size;
  return 0;
}

typedef struct reader {
  int pid;
  size_t tx_id;
} reader;

/* The readers with an open snapshot; the caller frees the list. -1: out of memory. */
static int list_readers(jg_db *db, reader **list) {
  reader_text readers = {0};
  int count = 0;
  size_t capacity = 0;
  *list = NULL;
  mdb_reader_list(db->env, collect, &readers);
  for (char *line = readers.text; !readers.failed && line != NULL && *line != '\0';) {
    char *end = strchr(line, '\n');
    reader r;
    if (sscanf(line, "%d %*x %zu", &r.pid, &r.tx_id) == 2) { /* others: a header, an idle slot */
      reader *grown = jg_grow(*list, &capacity, (size_t)count, sizeof *grown);
      readers.failed = grown == NULL;
      if (readers.failed) break;
      *list = grown;
      (*list)[count++] = r;
    }
    line = end != NULL ? end + 1 : NULL;
  }
  free(readers.text);
  if (!readers.failed) return count;
  free(*list);
  *list = NULL;
  return -1;
}

static uint64_t age_of(const reader *r, size_t last_tx_id) {
  return last_tx_id > r->tx_id ? last_tx_id - r->tx_id : 0;
}

/* db:readers(): the open snapshots of all processes, {pid=, tx_id=, age=} each; age is the number
** of commits since. Slots of dead processes are cleared first; the second result says how many. */
static int db_readers(lua_State *L) {
  jg_db *db = jg_self_db(L);
  reader *list;
  MDB_envinfo info;
  int dead = 0;
  mdb_reader_check(db->env, &dead);
  int count = list_readers(db, &list);
  mdb_env_info(db->env, &info); /* after them: another process may commit and begin meanwhile */
  if (count < 0) jg_raise(L, "no_memory", "readers: out of memory");
  size_t size = (unsigned)count * sizeof *list;
  reader *copy = lua_newuserdatauv(L, size + 1, 0); /* one that an error in Lua cannot leak */
  if (size > 0) memcpy(copy, list, size);
  free(list);
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    lua_createtable(L, 0, 3);
    jg_set_integer(L, "pid", (uint64_t)copy[i].pid);
    jg_set_integer(L, "tx_id", copy[i].tx_id);
    jg_set_integer(L, "age", age_of(&copy[i], info.me_last_txnid));
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushinteger(L, dead);
  return 2;
}

/* Commits since the oldest open snapshot began: what it pins of the file grows with them. */
static uint64_t oldest_reader_age(jg_db *db) {
  reader *list;
  MDB_envinfo info;
  uint64_t oldest = 0;
  int count = list_readers(db, &list);
  mdb_env_info(db->env, &info);
  for (int i = 0; i < count; i++) {
    uint64_t age = age_of(&list[i], info.me_last_txnid);
    if (age > oldest) oldest = age;
  }
  free(list);
  return oldest;
}

/* ---- the file ------------------------------------------------------------------------------ */

static int db_info(lua_State *L) {
  static const char *const durabilities[] = {"commit", "none", "journal"};
  jg_db *db = jg_self_db(L);
  MDB_envinfo info;
  struct stat st;
  mdb_env_info(db->env, &info);
  uint64_t age = oldest_reader_age(db);
  if (fstat(db->lock_fd, &st) != 0) memset(&st, 0, sizeof st);
  lua_createtable(L, 0, 20);
  lua_pushstring(L, db->path);
  lua_setfield(L, -2, "path");
  lua_pushstring(L, durabilities[db->durability]);
  lua_setfield(L, -2, "durability");
  lua_pushboolean(L, db->read_only);
  lua_setfield(L, -2, "read_only");
  lua_pushboolean(L, db->shared);
  lua_setfield(L, -2, "shared");
  jg_set_integer(L, "page_size", db->page_size);
  jg_set_integer(L, "size_max", info.me_mapsize);
  jg_set_integer(L, "size", (uint64_t)(info.me_last_pgno + 1) * db->page_size);
  jg_set_integer(L, "file_size", (uint64_t)st.st_size);
  jg_set_integer(L, "disk_size", (uint64_t)st.st_blocks * 512);
  jg_set_integer(L, "last_tx_id", db->journal != NULL ? db->journal->lsn : info.me_last_txnid);
  jg_set_integer(L, "readers", info.me_numreaders);
  jg_set_integer(L, "readers_max", info.me_maxreaders);
  jg_set_integer(L, "reader_age", age);
  jg_set_integer(L, "trees", db->trees.count);
  jg_set_integer(L, "trees_max", db->trees_max);
  jg_push_journal_info(L, db);
  return 1;
}

/* Pages in the free list: readable as database 0. */
static int count_free_pages(MDB_txn *txn, uint64_t *pages) {
  MDB_cursor *cursor;
  MDB_val key, value;
  size_t n;
  *pages = 0;
  int rc = mdb_cursor_open(txn, 0, &cursor);
  if (rc != 0) return rc;
  while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
    if (value.mv_size < sizeof n) continue;
    memcpy(&n, value.mv_data, sizeof n);
    *pages += n;
  }
  mdb_cursor_close(cursor);
  return rc == MDB_NOTFOUND ? 0 : rc;
}

static int db_stats(lua_State *L) {
  jg_db *db = jg_self_db(L);
  MDB_txn *txn;
  uint64_t free_pages = 0, open_reads = 0, open_writes = db->writer != NULL;
  MDB_envinfo info;
  int rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn);
  if (rc != 0) jg_raise_rc(L, rc, "stats");
  rc = count_free_pages(txn, &free_pages);
  mdb_txn_abort(txn);
  if (rc != 0) jg_raise_rc(L, rc, "stats");
  mdb_env_info(db->env, &info);
  for (jg_handle *h = db->h.child; h != NULL; h = h->next)
    open_reads++;
  lua_createtable(L, 0, 20);
  jg_set_integer(L, "reads", db->reads);
  jg_set_integer(L, "commits", db->commits);
  jg_set_integer(L, "rollbacks", db->rollbacks);
  jg_set_integer(L, "open_reads", open_reads - open_writes);
  jg_set_integer(L, "open_writes", open_writes);
  jg_set_integer(L, "pages", info.me_last_pgno + 1);
  jg_set_integer(L, "free_pages", free_pages);
  jg_push_counts(L, &db->counts);
  jg_push_journal_stats(L, db);
  return 1;
}

const luaL_Reg jg_db_stats_methods[] = {
    {"info", db_info}, {"stats", db_stats}, {"readers", db_readers}, {NULL, NULL}};

/* ---- buckets ------------------------------------------------------------------------------- */

typedef struct bucket_stats { /* sums over a bucket and all buckets in it */
  uint64_t keys, buckets, trees, depth, branch_pages, leaf_pages, overflow_pages;
} bucket_stats;

/* A tree knows how many items it has; the items of a prefix are counted one by one, and those
** that are buckets sought, where there are any. */
static bool must_walk(const jg_found *bucket) {
  return bucket->prefixed || (bucket->record.flags & JG_HAS_CHILDREN) != 0;
}

static int count_bucket(void *context, jg_tx *tx, const jg_found *bucket) {
  bucket_stats *sum = context;
  MDB_stat stat;
  sum->buckets++;
  if (bucket->prefixed) return 0;
  int rc = mdb_stat(tx->txn, bucket->dbi, &stat);
  if (rc != 0) return rc;
  sum->trees++;
  sum->keys += stat.ms_entries;
  sum->branch_pages += stat.ms_branch_pages;
  sum->leaf_pages += stat.ms_leaf_pages;
  sum->overflow_pages += stat.ms_overflow_pages;
  if (stat.ms_depth > sum->depth) sum->depth = stat.ms_depth;
  return 0;
}

static int count_item(void *context, const jg_found *bucket, MDB_cursor *cursor) {
  bucket_stats *sum = context;
  (void)cursor;
  if (bucket->prefixed) sum->keys++;
  return 0;
}

static void check_found(jg_bucket *b, jg_found *found) {
  *found = (jg_found){.kind = JG_IS_BUCKET,
                      .dbi = b->dbi,
                      .prefixed = b->prefixed,
                      .has_record = b->has_record,
                      .record = b->record};
}

static int bucket_stats_(lua_State *L) {
  static const jg_visitor visitor = {must_walk, count_item, count_bucket};
  jg_bucket *b = jg_self_bucket(L);
  bucket_stats sum = {.depth = 1}; /* Bolt: an empty bucket has depth 1 */
  jg_found found;
  check_found(b, &found);
  int rc = jg_walk(b->tx, &found, &visitor, &sum);
  if (rc != 0) jg_raise_rc(L, rc, "stats");
  lua_createtable(L, 0, 8);
  jg_set_integer(L, "keys", sum.keys);
  jg_set_integer(L, "buckets", sum.buckets);
  jg_set_integer(L, "trees", sum.trees);
  jg_set_integer(L, "depth", sum.depth);
  jg_set_integer(L, "branch_pages", sum.branch_pages);
  jg_set_integer(L, "leaf_pages", sum.leaf_pages);
  jg_set_integer(L, "overflow_pages", sum.overflow_pages);
  return 1;
}

/* Items of this bucket, the buckets in it too: at once for a tree, by walking for a prefix. */
static int bucket_count(lua_State *L) {
  jg_bucket *b = jg_self_bucket(L);
  uint64_t count = 0;
  int rc;
  if (b->prefixed) {
    rc = jg_count_prefix(b->tx, b->dbi, b->prefix, &count);
  } else {
    MDB_stat stat;
    rc = mdb_stat(b->tx->txn, b->dbi, &stat);
    count = rc == 0 ? stat.ms_entries : 0;
  }
  if (rc != 0) jg_raise_rc(L, rc, "count");
  lua_pushinteger(L, (lua_Integer)count);
  return 1;
}

const luaL_Reg jg_bucket_stats_methods[] = {
    {"stats", bucket_stats_}, {"count", bucket_count}, {NULL, NULL}};
