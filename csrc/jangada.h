/* SPDX-License-Identifier: MIT
**
** jangada.h - what the files of the C module share.
**
** The module shows LMDB to Lua as BoltDB's four types. Each is a full userdata that begins with
** a jg_handle (handle.c); a child keeps its parent alive through a user value, a parent reaches
** its open children through a list in C, so that closing anything closes all that hangs on it:
**
**        DB  (db.c, open.c)          one file: LMDB environment, owner lock, table of trees
**        |
**        Tx  (tx.c, savepoint.c)     one transaction, or the savepoint now open in it
**        |          \
**        Bucket      Cursor          (bucket.h; bucket.c, access.c; cursor.c, each.c)
**
** No LMDB object is ever reachable but through an open handle, no Lua function that can raise is
** called between acquiring one and storing it in its handle, and no raw LMDB flag or number
** reaches Lua.
*/
#ifndef JANGADA_H
#define JANGADA_H

#include <lauxlib.h>
#include <lmdb.h>
#include <lua.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define JG_KEY_SIZE_MAX 503                      /* LMDB's 511 less the prefix of a nested bucket */
#define JG_VALUE_SIZE_MAX (0x7ffff000u - 65536u) /* LMDB 0.9 writes a value with one write(2) */
#define JG_PREFIX_SIZE 8
#define JG_LMDB_KEY_SIZE_MAX (JG_PREFIX_SIZE + JG_KEY_SIZE_MAX)

/* Names of classes. Their addresses are keys of the registry too: finding a metatable by a name's
** characters takes longer than much of what is done with the handle. */
extern const char jg_class_db[], jg_class_tx[], jg_class_bucket[], jg_class_cursor[],
    jg_class_ticket[], jg_class_disk[];
#define JG_DB jg_class_db
#define JG_TX jg_class_tx
#define JG_BUCKET jg_class_bucket
#define JG_CURSOR jg_class_cursor
#define JG_TICKET jg_class_ticket
#define JG_MEMORY_DISK jg_class_disk
#define JG_ERROR "jangada.Error"

/* ---- handle.c: who hangs on whom ------------------------------------------------------ */

typedef struct jg_handle jg_handle;
struct jg_handle {
  jg_handle *parent;              /* NULL while not linked, and a root's */
  jg_handle *child, *next, *prev; /* first open child; siblings */
  void (*release)(jg_handle *h);  /* gives back what the handle owns; never touches Lua */
  bool open;
};

void jg_link(jg_handle *h, jg_handle *parent, void (*release)(jg_handle *));
void jg_relink(jg_handle *h, jg_handle *parent);
void jg_close(jg_handle *h); /* children first; a closed handle is left as it is */

/* ---- error.c: error objects ----------------------------------------------------------- */

typedef struct jg_failure { /* a failure on its way to Lua, where nothing may raise yet */
  const char *code;         /* NULL: none */
  char message[512];
} jg_failure;

bool jg_fail(jg_failure *f, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));                          /* always false */
bool jg_fail_rc(jg_failure *f, int rc, const char *what);           /* always false */
int jg_raise(lua_State *L, const char *code, const char *fmt, ...); /* fmt as lua_pushfstring */
int jg_raise_rc(lua_State *L, int rc, const char *what);
int jg_raise_failure(lua_State *L, const jg_failure *f);
const char *jg_code_of(int rc);
void jg_open_errors(lua_State *L);

/* ---- store.c ------------------------------------------------------------------------------ */

void jg_class(lua_State *L, const char *name, const luaL_Reg *metamethods, const luaL_Reg *methods);
void jg_add_methods(lua_State *L, const char *name, const luaL_Reg *methods);
void *jg_self(lua_State *L, const char *name);                 /* only in a method of that class */
void *jg_test_handle(lua_State *L, int idx, const char *name); /* NULL: of another class */
void *jg_check_handle(lua_State *L, int idx, const char *name);
void jg_set_class(lua_State *L, const char *name); /* of what is on top of the stack */
void jg_set_weak(lua_State *L);
jg_handle *jg_root(lua_State *L); /* what DBs hang on; closed when the state is being closed */

void jg_set_integer(lua_State *L, const char *field, uint64_t n); /* of the table on top */
void jg_set_string(lua_State *L, const char *field, const char *s);

/* ---- grow.c ------------------------------------------------------------------------------- */

void *jg_grow(void *array, size_t *capacity, size_t count, size_t item_size);

/* ---- options.c: option tables ----------------------------------------------------------- */

void jg_options_known(lua_State *L, int idx, const char *const known[]);
bool jg_has_option(lua_State *L, int idx, const char *name);
bool jg_option_boolean(lua_State *L, int idx, const char *name, bool fallback);
lua_Integer jg_option_integer(lua_State *L, int idx, const char *name, lua_Integer fallback,
                              lua_Integer min, lua_Integer max);
int jg_option_choice(lua_State *L, int idx, const char *name, const char *const choices[]);

/* ---- tree.c: the LMDB databases of one file --------------------------------------------- */

typedef struct jg_tree {
  char *name;
  MDB_dbi dbi;
  size_t birth;    /* id of the LMDB transaction that made it; older readers do not see it */
  unsigned level;  /* 0: committed; else the level of the transaction that made it */
  bool compatible; /* no LMDB flags that we do not speak */
} jg_tree;

typedef struct jg_trees {
  jg_tree *list;
  unsigned count;
  size_t capacity;
} jg_trees;

/* ---- db.c, open.c, registry.c, file.c --------------------------------------------------- */

typedef enum { JG_COMMIT, JG_NONE, JG_JOURNAL } jg_durability;

typedef struct jg_tx jg_tx;

typedef struct jg_counts { /* what was asked of a transaction, or of all of a DB */
  uint64_t gets, puts, deletes, appended, cursors, moves, savepoints;
} jg_counts;

typedef struct jg_db {
  jg_handle h;
  MDB_env *env;
  char *path;
  int lock_fd;         /* holds the flock on the data file; -1: none */
  dev_t dev, lock_dev; /* of the data file, and of LMDB's lock file */
  ino_t ino, lock_ino;
  struct jg_db *next_open; /* registry.c */
  unsigned fork_count;     /* of the process that opened it */
  pthread_t thread;
  jg_durability durability;
  bool read_only, shared, registered;
  unsigned trees_max;
  size_t trees_seen; /* entries of the main database when they were last opened */
  jg_trees trees;
  jg_tx *writer;   /* the open write transaction */
  MDB_txn *spare;  /* a read transaction that has been reset, for the next one */
  MDB_txn *orphan; /* a write transaction collected on another thread: only its own may abort it */
  struct jg_journal *journal; /* of durability "journal", else NULL (journal.h) */
  uint64_t replayed;          /* commits that were found in the journal when it was opened */
  uint64_t durable_lsn;       /* once closed: the last commit that was durable then */
  bool abandons;              /* it is closed as a crash would */
  int close_rc;               /* what its last checkpoint returned */
  lua_Integer queue_first, queue_last; /* commits whose on_commit waits for their flush */
  size_t page_size;
  int lock_timeout_ms;
  bool writer_locked;
  uint64_t commits, rollbacks, reads; /* transactions so far */
  jg_counts counts;                   /* of those that have ended */
} jg_db;

typedef struct jg_open_options {
  int mode, durability, lock_timeout_ms;
  bool read_only, shared, allow_remote, verify, flusher, salvage;
  size_t size_max;
  uint64_t journal_size;
  struct jg_disk *journal_disk; /* NULL: a file */
  unsigned trees_max, readers_max;
} jg_open_options;

#define JG_TREES_LIMIT (1u << 20) /* of files that have more than trees_max */

bool jg_open_trees(jg_db *db, const jg_open_options *o, unsigned trees_max, jg_failure *f);
bool jg_db_open(jg_db *db, const char *path, const jg_open_options *o, jg_failure *f);
void jg_db_release(jg_handle *h);
int jg_db_refresh(jg_db *db, bool writable); /* before a transaction begins */
void jg_db_end_orphan(jg_db *db);
int jg_db_begin_txn(jg_db *db, unsigned flags, MDB_txn **txn);
extern const luaL_Reg jg_db_stats_methods[], jg_backup_methods[];
jg_db *jg_self_db(lua_State *L); /* only in a method of DB: open and serving */
void jg_check_open(lua_State *L, const jg_db *db);
void jg_check_process(lua_State *L, const jg_db *db); /* forked, wrong_thread */
void jg_check_serving(lua_State *L, const jg_db *db); /* and poisoned */
void jg_db_set_writer(lua_State *L, int db_idx);
void jg_db_checkpoint(lua_State *L, jg_db *db, const char *what, bool clean);
int jg_raise_journal(lua_State *L, const jg_db *db, int rc, const char *what);
int jg_store_open(lua_State *L);
void jg_open_db(lua_State *L);

bool jg_register(jg_db *db); /* false: this process has the file open */
bool jg_uses_lock_file(dev_t dev, ino_t ino);
void jg_unregister(jg_db *db);
extern unsigned jg_forks; /* how often this process and those before it were forked */
static inline bool jg_is_forked(const jg_db *db) {
  return db->fork_count != jg_forks;
}
void jg_abandon(const jg_db *db); /* on another thread than its own */
void jg_bury(void);               /* what this thread has to */

int jg_file_lock(const char *path, const jg_open_options *o, bool *missing, jg_failure *f);
bool jg_file_check_lock_file(const jg_db *db, const jg_open_options *o, jg_failure *f);
void jg_file_note_lock_file(jg_db *db);
void jg_file_fill_up(jg_db *db);
bool jg_file_is_full(const jg_db *db);
bool jg_file_lock_writer(jg_db *db, jg_failure *f); /* of several processes, one writes */
void jg_file_unlock_writer(jg_db *db);
bool jg_file_sync_directory(const char *path, jg_failure *f); /* the one that `path` is in */
bool jg_file_publish(const char *temporary, const char *path, jg_failure *f);
bool jg_file_check(int fd, const char *path, const jg_open_options *o, jg_failure *f);
bool jg_file_create(const char *path, const jg_open_options *o, jg_failure *f);

/* ---- tx.c, savepoint.c -------------------------------------------------------------------- */

typedef enum { JG_ON_COMMIT = 1, JG_ON_ROLLBACK = 2 } jg_outcome;

struct jg_bucket;
struct jg_tx {
  jg_handle h;
  jg_db *db;
  MDB_txn *outer; /* the transaction of LMDB */
  MDB_txn *txn;   /* the one to use: outer, or the innermost savepoint */
  size_t id;
  unsigned level;     /* 1, and one more for each open savepoint */
  unsigned writes;    /* counts changes: a cursor that saw another count seeks again */
  unsigned structure; /* counts undone savepoints: a bucket that saw another looks itself up */
  bool writable, managed, committed;
  bool direct;        /* of durability "journal", but too large for it (write.c) */
  bool shares_parent; /* a view of it, which reads what is not in the file yet */
  uint64_t lsn;       /* what it calls its id then */
  jg_outcome handler; /* what its only handler waits for (tx.c) */
  size_t size;        /* of the file in use when it began, in bytes */
  jg_counts counts;
};

jg_tx *jg_self_tx(lua_State *L); /* only in a method of Tx: usable */
void jg_check_usable(lua_State *L, const jg_tx *tx); /* tx_closed, tx_failed, and its DB's */
void jg_check_writable(lua_State *L, const jg_tx *tx, const char *what);
enum { JG_WRITES = 1, JG_MANAGED = 2, JG_SNAPSHOT = 4 };     /* the last: it reads X alone */
jg_tx *jg_tx_begin(lua_State *L, int db_idx, unsigned kind); /* pushes it */
bool jg_tx_commit(lua_State *L, int idx, bool wait);         /* is it durable? */
void jg_tx_rollback(lua_State *L, int idx, bool failing);
void jg_tx_drop_cursors(jg_tx *tx);
int jg_tx_savepoint(lua_State *L);
int jg_tx_batch(lua_State *L);
void jg_open_tx(lua_State *L);

/* ---- handlers.c --------------------------------------------------------------------------- */

enum { JG_TX_OWNER = 1, JG_TX_HANDLERS }; /* user values of a Tx */

void jg_tx_handlers(lua_State *L, int idx, jg_outcome outcome, lua_Integer from, bool failing);
lua_Integer jg_tx_handler_count(lua_State *L, int idx);
bool jg_tx_awaits_commit(lua_State *L, int idx);
int jg_tx_on_commit(lua_State *L);
int jg_tx_on_rollback(lua_State *L);

/* ---- tree.c, again: what needs a transaction ------------------------------------------------ */

/* A tree made by a transaction is forgotten with it: LMDB's handle of it is dead then. */
int jg_trees_refresh(jg_db *db);
int jg_trees_refresh_in(jg_tx *tx);
void jg_trees_forget(jg_trees *trees, unsigned level);
void jg_trees_forget_young(jg_trees *trees, size_t txn_id); /* made after that transaction */
jg_tree *jg_tree_find(const jg_tx *tx, const char *name);
int jg_tree_create(jg_tx *tx, const char *name, jg_tree **tree);
void jg_trees_end(jg_tx *tx, unsigned level, bool keep);
void jg_trees_free(jg_trees *trees);

/* ---- write.c: all that changes a tree ----------------------------------------------------- */

int jg_put(jg_tx *tx, MDB_dbi dbi, MDB_cursor *cursor, MDB_val *key, const MDB_val *value,
           unsigned flags, bool escapes);
int jg_del(jg_tx *tx, MDB_dbi dbi, MDB_cursor *cursor, MDB_val *key);
int jg_note_range(jg_tx *tx, MDB_dbi dbi, const MDB_val *from, const MDB_val *to, uint64_t count);
int jg_drop(jg_tx *tx, MDB_dbi dbi);
int jg_make_tree(jg_tx *tx, const char *name, MDB_dbi *dbi);
size_t jg_ops_mark(const jg_tx *tx);
void jg_ops_cut(const jg_tx *tx, size_t mark);
bool jg_again(jg_tx *tx, size_t mark, int *rc); /* do ...; while (jg_again(...)) */

/* ---- ticket.c: durability "journal" as Lua sees it ------------------------------------------ */

int jg_tx_commit_ticket(lua_State *L); /* of the transaction at index 1; pushes the Ticket */
bool jg_fire_durable(lua_State *L, jg_db *db, int db_idx);
void jg_queue_handlers(lua_State *L, int tx_idx, int db_idx);
void jg_open_ticket(lua_State *L);
void jg_push_journal_info(lua_State *L, const jg_db *db); /* into the table on top */
void jg_push_journal_stats(lua_State *L, const jg_db *db);
extern const luaL_Reg jg_journal_methods[];

/* ---- records.c ---------------------------------------------------------------------------- */

int jg_pack_records(lua_State *L);
int jg_unpack_record(lua_State *L);
int jg_records(lua_State *L);

/* ---- stats.c ------------------------------------------------------------------------------- */

void jg_add_counts(jg_counts *sum, const jg_counts *counts);
void jg_push_counts(lua_State *L, const jg_counts *counts); /* into the table on top */

/* ---- plain.c ------------------------------------------------------------------------------ */

void jg_push_plain(lua_State *L);

/* ---- queue.c ------------------------------------------------------------------------------ */

void jg_push_queue(lua_State *L);

/* ---- streams.c ----------------------------------------------------------------------------- */

void jg_push_streams(lua_State *L);

/* ---- crc32c.c ------------------------------------------------------------------------------ */

void jg_crc32c_open(void); /* before the first */
uint32_t jg_crc32c(uint32_t seed, const void *data, size_t size);

#endif
