/* SPDX-License-Identifier: MIT
**
** journal.h - what the files of durability "journal" share. journal.c explains the protocol.
**
**     write.c        the operations of a transaction, collected while they are applied
**     journal.c      records: their format, writing them, scanning and replaying them
**     flusher.c      who flushes them: the committing thread, or a thread for many commits
**     checkpoint.c   the open LMDB transaction under all commits, and its end
**     recovery.c     what a crash left: at open
**     disk.c         the seam to the system; memory_disk.c a disk in memory
**     ticket.c       commits that are not waited for, as Lua sees them
*/
#ifndef JANGADA_JOURNAL_H
#define JANGADA_JOURNAL_H

#include "jangada.h"

#include <stdatomic.h>

/* ---- disk.c, memory_disk.c: where the journal is kept ------------------------------------- */

/* All return 0 or an errno. A write begins at a multiple of the disk's block, and may turn what
** follows it, up to the end of its last block, into zeros. With *flush it may flush, too: it makes
** *flush false then, and its failure is one of a flush. */
typedef struct jg_disk jg_disk;
typedef struct jg_disk_calls {
  int (*open)(jg_disk *d, bool make); /* ENOENT: there is none, and `make` does not ask for one */
  int (*size)(jg_disk *d, uint64_t *size);
  int (*read)(jg_disk *d, uint64_t at, void *into, size_t size);
  int (*write)(jg_disk *d, uint64_t at, const void *bytes, size_t size, bool *flush);
  int (*flush)(jg_disk *d);
  int (*truncate)(jg_disk *d, uint64_t size); /* what it gains is written zeros, flushed */
  void (*close)(jg_disk *d);
} jg_disk_calls;

struct jg_disk {
  const jg_disk_calls *calls;
  const char *path;
  size_t block; /* bytes that are written at once */
  int fd;       /* of the POSIX one; -1: none */
  mode_t mode;
  bool read_only;
  bool is_direct, refuses_direct; /* O_DIRECT is set; the filesystem does not know it */
  bool refuses_dsync, is_unflushed; /* nor RWF_DSYNC; a write waits for a flush */
  unsigned char *blocks;            /* what is being written, then zeros; */
  size_t filled;                    /* they begin here */
};

void jg_disk_posix(jg_disk *d, const char *path, mode_t mode);
jg_disk *jg_check_memory_disk(lua_State *L, int idx);
void jg_open_memory_disk(lua_State *L);
int jg_memory_disk(lua_State *L);

/* ---- numbers, big-endian; for 8 bytes see record.c ----------------------------------------- */

static inline void jg_put_u16(unsigned char *p, size_t n) {
  p[0] = (unsigned char)(n >> 8);
  p[1] = (unsigned char)n;
}

static inline size_t jg_get_u16(const unsigned char *p) {
  return (size_t)p[0] << 8 | p[1];
}

static inline void jg_put_u32(unsigned char *p, size_t n) {
  jg_put_u16(p, n >> 16);
  jg_put_u16(p + 2, n & 0xffff);
}

static inline size_t jg_get_u32(const unsigned char *p) {
  return jg_get_u16(p) << 16 | jg_get_u16(p + 2);
}

/* ---- write.c ------------------------------------------------------------------------------ */

typedef struct jg_buffer {
  unsigned char *data;
  size_t size, capacity;
} jg_buffer;

typedef struct jg_tree_use { /* a tree that the operations collected so far have named */
  MDB_dbi dbi;
  size_t at; /* where: a savepoint that is undone takes back what comes after its begin */
} jg_tree_use;

typedef struct jg_ops { /* a record in the making: room for its head, then operations */
  jg_buffer bytes;
  jg_tree_use *trees;
  unsigned trees_count;
  size_t trees_capacity;
} jg_ops;

bool jg_buffer_reserve(jg_buffer *b, size_t more);
void jg_ops_clear(jg_ops *ops);
void jg_ops_free(jg_ops *ops);
int jg_promote(jg_tx *tx);
int jg_ops_apply(jg_tx *tx, const unsigned char *ops, size_t size);

/* ---- journal.c ---------------------------------------------------------------------------- */

#define JG_RECORD_HEAD_SIZE 48
#define JG_JOURNAL_SIZE_MIN ((uint64_t)1 << 16)
#define JG_JOURNAL_SIZE_MAX ((uint64_t)1 << 30)
#define JG_SEEN_SIZE 8192 /* bytes */
#define JG_MARKER_SIZE 33
#define JG_TIMES 24 /* buckets of a histogram: below 1 us, 2 us, 4 us, ... */

typedef struct jg_times { /* how long something took, each time */
  uint64_t count, total_us, max_us, below[JG_TIMES];
} jg_times;

typedef struct jg_marker { /* what LMDB's own file says of the journal */
  uint64_t id, epoch, lsn, txn_id;
  bool clean;
} jg_marker;

typedef struct jg_journal {
  jg_disk posix, *disk; /* disk: the one in use */
  bool is_open, is_prepared;
  char *path;
  uint64_t size; /* bytes that may be used */

  uint64_t id, epoch;
  uint64_t offset; /* where the last record ends */
  uint64_t lsn, checkpoint_lsn;
  size_t checkpoint_txn_id;
  bool marker_clean; /* the marker in the file says that the journal is not needed */
  bool is_told;      /* a call has raised that the DB is poisoned */

  MDB_txn *parent;                   /* holds all commits since the checkpoint; NULL: none yet */
  unsigned views;                    /* open views, which read it */
  jg_ops ops;                        /* of the open write transaction */
  uint64_t dirty_pages, dirty_bytes; /* an estimate, see jg_count_dirty */
  unsigned char *seen;               /* a bitmap: keys that are counted in it */
  int64_t first_us;                  /* when the first commit after the checkpoint was made */
  bool wants_checkpoint;
  uint64_t checkpoint_failures;
  int64_t retry_us; /* a checkpoint that failed is not tried again before */
  jg_times checkpoint_times;

  /* flusher.c; what follows is guarded by the mutex */
  pthread_mutex_t mutex;
  pthread_cond_t work, done;
  pthread_t thread;
  bool may_start, started, stops, flushing;
  jg_buffer pending, taken; /* records not yet written, and those that are being written */
  uint64_t pending_at, pending_lsn, written_lsn;
  int event_fd;
  jg_times flush_times;
  _Atomic uint64_t flushed_lsn;
  _Atomic int failed; /* errno of the flush that poisoned the DB; 0: none */
} jg_journal;

jg_journal *jg_journal_new(jg_disk *disk, const char *path, mode_t mode, uint64_t size);
void jg_journal_free(jg_journal *j);
int64_t jg_now_us(void);
void jg_times_add(jg_times *times, int64_t us);
size_t jg_record_seal(jg_journal *j, uint64_t lsn);
size_t jg_padded(size_t size);

typedef struct jg_scan { /* the records of one epoch */
  unsigned char *data;   /* the whole journal */
  size_t size, end;      /* end: of the last good record */
  size_t block;          /* of the disk */
  uint64_t id, epoch;
  uint64_t lsn, count; /* of the last one; how many */
  bool is_foreign;       /* it is another file's, or older */
  bool is_newer;           /* it is of a later epoch */
  bool is_damaged;       /* at `end` stood a record that had been flushed */
} jg_scan;

int jg_journal_read(jg_disk *disk, uint64_t size, jg_scan *scan);
void jg_journal_scan(jg_scan *scan, uint64_t id, uint64_t epoch, uint64_t lsn);
int jg_journal_replay(jg_tx *tx, const jg_scan *scan);

/* ---- flusher.c ---------------------------------------------------------------------------- */

uint64_t jg_journal_next_block(const jg_journal *j);
int jg_journal_append(jg_journal *j, const void *record, size_t size, uint64_t lsn, bool wait);
int jg_journal_flush(jg_journal *j);
int jg_journal_settle(jg_journal *j); /* nothing being flushed, everything written */
void jg_journal_durable(jg_journal *j, uint64_t lsn);
void jg_journal_wait(jg_journal *j, uint64_t lsn, int64_t timeout_ms);
void jg_journal_stop(jg_journal *j);

/* ---- checkpoint.c ------------------------------------------------------------------------- */

int jg_parent(jg_db *db, MDB_txn **parent);
void jg_parent_rest(jg_db *db); /* after a transaction has ended */
int jg_checkpoint(jg_db *db, bool clean);
int jg_journal_purge(jg_db *db);
void jg_count_dirty(jg_journal *j, MDB_dbi dbi, const MDB_val *key, size_t size);
int jg_journal_begin(jg_tx *tx);
int jg_journal_commit(jg_tx *tx, bool wait);
int jg_journal_prepare_write(jg_db *db);
int jg_write_marker(jg_tx *tx, const jg_marker *marker);

/* ---- recovery.c --------------------------------------------------------------------------- */

bool jg_journal_open(jg_db *db, const jg_open_options *o, jg_failure *f);
int jg_journal_prepare_disk(jg_journal *j);
int jg_journal_close(jg_db *db, bool abandoned);

#endif
