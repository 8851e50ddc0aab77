/* SPDX-License-Identifier: MIT
**
** registry.c - the files that this process has open.
**
** LMDB forbids to open one file twice in a process: closing either frees the reader slots of
** both, and a live snapshot's pages are then overwritten. Paths do not tell (links), inodes do.
** The list is one for all Lua states and threads of the process.
**
** A forked child inherits the list, the environments and the descriptors, and may use none of
** them. It counts its forks so that every handle can tell whose it is, and closes its copies of
** the owner locks: they would keep the file locked after the parent's death.
*/
#include "journal.h"

#include <stdlib.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static jg_db *opened;
unsigned jg_forks;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A write transaction's lock belongs to its thread, and lies in the map: only that thread may end
** it, and unmapping it before would crash that thread. So when a DB with an open write transaction
** is collected on another thread, its environment waits here until its own thread opens a file. */
typedef struct abandoned {
  struct abandoned *next;
  MDB_env *env;
  MDB_txn *txn;
  int lock_fd;
  pthread_t thread;
} abandoned;

static abandoned *waiting;

static void before_fork(void) {
  pthread_mutex_lock(&mutex);
}

static void in_parent(void) {
  pthread_mutex_unlock(&mutex);
}

static void in_child(void) {
  jg_forks++;
  for (jg_db *db = opened; db != NULL; db = db->next_open) {
    if (db->lock_fd >= 0) close(db->lock_fd);
    db->lock_fd = -1;
    if (db->journal != NULL && db->journal->posix.fd >= 0) close(db->journal->posix.fd);
  }
  opened = NULL;
  for (; waiting != NULL; waiting = waiting->next)
    close(waiting->lock_fd); /* the rest is theirs */
  pthread_mutex_unlock(&mutex);
}

static void watch_forks(void) {
  pthread_atfork(before_fork, in_parent, in_child);
}

/* ---- what another thread let go of --------------------------------------------------------- */

void jg_abandon(const jg_db *db) {
  abandoned *a = malloc(sizeof *a);
  if (a == NULL) return; /* then the file stays open, and locked, until the process ends */
  *a = (abandoned){NULL, db->env, db->orphan, db->lock_fd, db->thread};
  pthread_mutex_lock(&mutex);
  a->next = waiting;
  waiting = a;
  pthread_mutex_unlock(&mutex);
}

void jg_bury(void) {
  abandoned *mine = NULL;
  pthread_mutex_lock(&mutex);
  for (abandoned **link = &waiting; *link != NULL;) {
    abandoned *a = *link;
    if (!pthread_equal(a->thread, pthread_self())) {
      link = &a->next;
      continue;
    }
    *link = a->next;
    a->next = mine;
    mine = a;
  }
  pthread_mutex_unlock(&mutex);
  while (mine != NULL) {
    abandoned *a = mine;
    mine = a->next;
    mdb_txn_abort(a->txn);
    mdb_env_close(a->env);
    close(a->lock_fd);
    free(a);
  }
}

bool jg_register(jg_db *db) {
  pthread_once(&once, watch_forks);
  pthread_mutex_lock(&mutex);
  jg_db *other = opened;
  while (other != NULL && (other->dev != db->dev || other->ino != db->ino))
    other = other->next_open;
  if (other == NULL) {
    db->next_open = opened;
    opened = db;
    db->registered = true;
  }
  pthread_mutex_unlock(&mutex);
  return other == NULL;
}

/* Is this LMDB's lock file of a DB of this process? */
bool jg_uses_lock_file(dev_t dev, ino_t ino) {
  pthread_mutex_lock(&mutex);
  const jg_db *db = opened;
  while (db != NULL && (db->lock_ino == 0 || db->lock_dev != dev || db->lock_ino != ino))
    db = db->next_open;
  pthread_mutex_unlock(&mutex);
  return db != NULL;
}

void jg_unregister(jg_db *db) {
  pthread_mutex_lock(&mutex);
  for (jg_db **link = &opened; *link != NULL; link = &(*link)->next_open)
    if (*link == db) {
      *link = db->next_open;
      break;
    }
  db->registered = false;
  pthread_mutex_unlock(&mutex);
}
