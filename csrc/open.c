/* SPDX-License-Identifier: MIT
**
** open.c - opens a file, and closes it: the steps of store.open in their order.
**
**   1  the data file: opened, or made and opened; owner lock taken     file.c
**   2  no other handle of this process on this inode                   registry.c
**   3  meta pages and size looked at with pread                        file.c
**   4  LMDB environment, its map halved until the system grants it
**   5  reader slots of dead processes cleared, all trees opened        tree.c
**   6  what a crash left in the journal brought in                    recovery.c
**   7  trees of deleted buckets removed                               delete.c
**
** Nothing here touches Lua, so nothing can raise; on any failure jg_db_release gives back what
** has been acquired so far.
*/
#include "bucket.h"
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_SIZE_MIN ((size_t)1 << 20)

static bool lock_file(jg_db *db, const jg_open_options *o, jg_failure *f) {
  bool missing;
  for (int attempt = 0; attempt < 8; attempt++) {
    db->lock_fd = jg_file_lock(db->path, o, &missing, f);
    if (db->lock_fd < 0) {
      if (!missing || o->read_only) return false;
      *f = (jg_failure){0};
      if (!jg_file_create(db->path, o, f)) return false;
      continue;
    }
    struct stat held, named;
    if (fstat(db->lock_fd, &held) == 0 && stat(db->path, &named) == 0 &&
        held.st_dev == named.st_dev && held.st_ino == named.st_ino) {
      db->dev = held.st_dev;
      db->ino = held.st_ino;
      return true;
    }
    close(db->lock_fd); /* replaced while we waited for the lock: try the new one */
    db->lock_fd = -1;
  }
  return jg_fail(f, "in_use", "%s: replaced again and again while it was being opened", db->path);
}

static int open_environment(jg_db *db, const jg_open_options *o, size_t map_size,
                            unsigned trees_max) {
  unsigned flags = MDB_NOSUBDIR | MDB_NOTLS;
  if (o->read_only) flags |= MDB_RDONLY;
  if (db->durability == JG_NONE) flags |= MDB_NOSYNC;
  int rc = mdb_env_create(&db->env);
  if (rc != 0) {
    db->env = NULL;
    return rc;
  }
  if ((rc = mdb_env_set_mapsize(db->env, map_size)) != 0 ||
      (rc = mdb_env_set_maxdbs(db->env, trees_max)) != 0 ||
      (rc = mdb_env_set_maxreaders(db->env, o->readers_max)) != 0 ||
      (rc = mdb_env_open(db->env, db->path, flags, (mdb_mode_t)o->mode)) != 0) {
    mdb_env_close(db->env); /* LMDB: also after a failed open */
    db->env = NULL;
  }
  return rc;
}

static int open_mapped(jg_db *db, const jg_open_options *o, unsigned trees_max) {
  size_t map_size = o->size_max;
  int rc = open_environment(db, o, map_size, trees_max);
  while (rc == ENOMEM && (map_size /= 2) >= MAP_SIZE_MIN)
    rc = open_environment(db, o, map_size, trees_max);
  return rc;
}

/* How many databases the file has, and so how many must be opened at once. */
static int count_entries(jg_db *db, size_t *count) {
  MDB_txn *txn;
  MDB_stat stat;
  int rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn);
  if (rc != 0) return rc;
  rc = mdb_stat(txn, 1, &stat);
  mdb_txn_abort(txn);
  *count = rc == 0 ? stat.ms_entries : 0;
  return rc;
}

/* Step 4 opened the file by its name again: is it still the one that is locked? */
static bool check_same_file(const jg_db *db, jg_failure *f) {
  int fd;
  struct stat st;
  int rc = mdb_env_get_fd(db->env, &fd);
  if (rc != 0) return jg_fail_rc(f, rc, db->path);
  if (fstat(fd, &st) != 0 || st.st_dev != db->dev || st.st_ino != db->ino)
    return jg_fail(f, "in_use", "%s: replaced while it was being opened", db->path);
  return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 || jg_fail_rc(f, errno, db->path); /* LMDB does not */
}

static bool fail_open(const jg_db *db, int rc, jg_failure *f) {
  if (rc == EACCES || rc == EROFS) /* we hold the file itself open: it is LMDB's lock file */
    return jg_fail(f, "permission_denied", "%s-lock: %s", db->path, strerror(rc));
  return jg_fail_rc(f, rc, db->path);
}

/* Opens the environment with room for at least so many trees, and all trees that the file has:
** anew, if it is open. No transaction is. */
bool jg_open_trees(jg_db *db, const jg_open_options *o, unsigned trees_max, jg_failure *f) {
  int dead;
  size_t entries = 0;
  jg_trees_free(&db->trees);
  if (db->env != NULL) mdb_env_close(db->env);
  db->env = NULL;
  db->trees_seen = SIZE_MAX;
  db->trees_max = trees_max;
  int rc = open_mapped(db, o, trees_max + 1); /* and the root tree */
  if (rc == 0) rc = mdb_reader_check(db->env, &dead);
  if (rc == 0) rc = count_entries(db, &entries);
  if (rc == 0 && entries > trees_max + 1 && entries < JG_TREES_LIMIT)
    return jg_open_trees(db, o, (unsigned)entries + 15, f);
  if (rc == 0) jg_file_note_lock_file(db);
  if (rc == 0) rc = jg_trees_refresh(db);
  return rc == 0 ? check_same_file(db, f) : fail_open(db, rc, f);
}

/* The format that we write is 1; a file without a mark of it is another program's. */
static bool check_format(jg_db *db, jg_failure *f) {
  char format[16];
  size_t size = sizeof format;
  int rc = jg_read_field(db, "format", format, &size);
  if (rc != 0) return rc == MDB_NOTFOUND || jg_fail_rc(f, rc, db->path);
  if (size == 1 && format[0] == '1') return true;
  return jg_fail(f, "version_mismatch", "%s: format %.*s, and only format 1 is known", db->path,
                 (int)(size < sizeof format ? size : sizeof format), format);
}

/* A process may have been started without standard streams. What it opens first would take their
** numbers, and what it prints would go into that. /dev/null stands there instead, opened the wrong
** way round: whoever reads or prints fails as before. */
static bool fill_standard_streams(jg_failure *f) {
  for (int fd = 0; fd <= 2; fd++) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    int null = open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
    if (null < 0) return jg_fail_rc(f, errno, "/dev/null");
    if (null != fd) close(null); /* another thread was faster */
  }
  return true;
}

bool jg_db_open(jg_db *db, const char *path, const jg_open_options *o, jg_failure *f) {
  jg_bury();
  db->lock_fd = -1;
  db->durability = (jg_durability)o->durability;
  db->read_only = o->read_only;
  db->shared = o->shared;
  db->lock_timeout_ms = o->lock_timeout_ms;
  db->page_size = (size_t)sysconf(_SC_PAGESIZE);
  db->thread = pthread_self();
  db->fork_count = jg_forks;
  db->path = strdup(path);
  if (db->path == NULL) return jg_fail(f, "no_memory", "%s: out of memory", path);
  if (!fill_standard_streams(f)) return false;
  struct stat st; /* before the lock: a flock of our own would only make us wait for ourselves */
  if (stat(path, &st) == 0) {
    db->dev = st.st_dev;
    db->ino = st.st_ino;
    if (!jg_register(db))
      return jg_fail(f, "already_open", "%s: this process has it open already", path);
    jg_unregister(db);
  }
  if (!lock_file(db, o, f)) return false;
  if (!jg_register(db))
    return jg_fail(f, "already_open", "%s: this process has it open already", path);
  if (!jg_file_check(db->lock_fd, path, o, f) || !jg_file_check_lock_file(db, o, f) ||
      !jg_open_trees(db, o, o->trees_max, f) || !check_format(db, f) || !jg_journal_open(db, o, f))
    return false;
  int rc = o->read_only || o->shared ? 0 : jg_purge(db);
  return rc == 0 || jg_fail_rc(f, rc, path);
}

/* In a forked child the environment and its locks are the parent's: only memory is given back. */
void jg_db_release(jg_handle *h) {
  jg_db *db = (jg_db *)h;
  if (!jg_is_forked(db)) {
    db->close_rc = jg_journal_close(db, db->abandons);
    if (db->spare != NULL) mdb_txn_abort(db->spare);
    if (db->registered) jg_unregister(db);
    if (db->orphan != NULL && !pthread_equal(db->thread, pthread_self())) {
      jg_abandon(db);
    } else {
      if (db->orphan != NULL) mdb_txn_abort(db->orphan);
      if (db->env != NULL && !db->abandons) jg_file_fill_up(db);
      if (db->env != NULL) mdb_env_close(db->env);
      if (db->lock_fd >= 0) close(db->lock_fd);
    }
  }
  jg_trees_free(&db->trees);
  db->env = NULL;
  db->spare = db->orphan = NULL;
  db->lock_fd = -1;
  free(db->path);
  db->path = NULL;
}
