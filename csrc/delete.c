/* SPDX-License-Identifier: MIT
**
** delete.c - deletes buckets with all that is in them, and the trees that this leaves behind.
*/
#include "jangada.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- deleting -------------------------------------------------------------------------------------- */

/* What is still to be emptied: an explicit list, since buckets may nest deeper than C's stack. */
typedef struct doomed {
  MDB_dbi dbi;
  bool prefixed;
  jg_record record; /* of one without, only its tree's name */
} doomed;

typedef struct doomed_list {
  doomed *items;
  size_t count, capacity;
} doomed_list;

static int doom(doomed_list *list, const jg_found *found, const char *name) {
  if (list->count == list->capacity) {
    size_t capacity = list->capacity == 0 ? 8 : 2 * list->capacity;
    doomed *items = realloc(list->items, capacity * sizeof *items);
    if (items == NULL) return ENOMEM;
    list->items = items;
    list->capacity = capacity;
  }
  doomed *d = &list->items[list->count++];
  *d = (doomed){.dbi = found->dbi, .prefixed = found->prefixed, .record = found->record};
  if (!found->prefixed) {
    strcpy(d->record.tree, found->has_record ? found->record.tree : name);
  }
  return 0;
}

static bool in_doomed(const doomed *d, const MDB_val *key) {
  unsigned char prefix[JG_PREFIX_SIZE];
  if (!d->prefixed) return true;
  jg_put_u64(prefix, d->record.id);
  return key->mv_size >= JG_PREFIX_SIZE && memcmp(key->mv_data, prefix, JG_PREFIX_SIZE) == 0;
}

/* Walks one bucket: its buckets join the list, and a prefix's items are deleted on the way. */
static int walk_doomed(jg_tx *tx, doomed_list *list, const doomed *d) {
  MDB_cursor *cursor;
  MDB_val key = {0, NULL}, value;
  jg_key first;
  int rc = mdb_cursor_open(tx->txn, d->dbi, &cursor);
  if (rc != 0) return rc;
  jg_set_key(&first, d->record.id, "", 0);
  if (d->prefixed) key = first.val;
  rc = mdb_cursor_get(cursor, &key, &value, d->prefixed ? MDB_SET_RANGE : MDB_FIRST);
  while (rc == 0 && in_doomed(d, &key)) {
    jg_found child = {.kind = JG_IS_ABSENT};
    if ((d->record.flags & JG_HAS_CHILDREN) != 0 &&
        jg_value_read(&value, &child.record) == JG_RECORD) {
      rc = jg_follow(tx, &child);
      if (rc == 0 && child.kind == JG_IS_BUCKET) rc = doom(list, &child, "");
    }
    if (rc == 0 && d->prefixed) rc = mdb_cursor_del(cursor, 0);
    if (rc == 0) rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
  }
  mdb_cursor_close(cursor);
  return rc == MDB_NOTFOUND ? 0 : rc;
}

/* A dropped tree stays while older transactions may read it: jg_purge removes it later. */
static int empty_doomed(jg_tx *tx, doomed_list *list) {
  doomed d = list->items[--list->count];
  int rc = 0;
  if (d.prefixed || (d.record.flags & JG_HAS_CHILDREN) != 0) rc = walk_doomed(tx, list, &d);
  if (rc != 0 || d.prefixed) return rc;
  rc = mdb_drop(tx->txn, d.dbi, 0);
  if (rc == 0) rc = jg_hide(tx, d.record.tree, JG_DEAD);
  return rc;
}

/* Deletes a bucket that jg_find found, with all that is in it (Bolt: DeleteBucket). */
int jg_delete(jg_tx *tx, const jg_bucket *up, const char *name, size_t size,
              const jg_found *found) {
  doomed_list list = {0};
  MDB_dbi root;
  int rc = jg_ensure_root(tx, &root);
  if (rc == 0) rc = doom(&list, found, name);
  while (rc == 0 && list.count > 0) rc = empty_doomed(tx, &list);
  free(list.items);
  tx->writes++;
  if (rc == 0 && found->has_record) {
    jg_key key;
    jg_child_key(&key, up, name, size);
    rc = mdb_del(tx->txn, up != NULL ? up->dbi : root, &key.val, NULL);
  }
  return rc;
}

/* Removes the dead trees for good: when the file is opened, and nobody else reads it. */
int jg_purge(jg_db *db) {
  jg_tx tx = {.db = db, .writable = true, .level = 1};
  MDB_dbi root;
  MDB_cursor *cursor = NULL;
  jg_key first;
  MDB_val key, value;
  if (jg_find_root(&tx, &root) != 0) return 0;
  int rc = mdb_txn_begin(db->env, NULL, 0, &tx.txn);
  if (rc != 0) return rc;
  rc = mdb_cursor_open(tx.txn, root, &cursor);
  jg_hidden_key(&first, "");
  key = first.val;
  unsigned purged = 0;
  if (rc == 0) rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
  while (rc == 0 && key.mv_size > first.val.mv_size &&
         memcmp(key.mv_data, first.bytes, first.val.mv_size) == 0) {
    char name[JG_LMDB_KEY_SIZE_MAX + 1];
    size_t size = key.mv_size - first.val.mv_size;
    memcpy(name, (char *)key.mv_data + first.val.mv_size, size);
    name[size] = '\0';
    if (value.mv_size == 1 && *(char *)value.mv_data == JG_DEAD) {
      rc = jg_tree_purge(&tx, name);
      if (rc == 0) rc = mdb_cursor_del(cursor, 0);
      purged++;
    }
    if (rc == 0) rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
  }
  if (cursor != NULL) mdb_cursor_close(cursor);
  if (purged == 0 || (rc != 0 && rc != MDB_NOTFOUND)) {
    mdb_txn_abort(tx.txn);
    return rc == MDB_NOTFOUND ? 0 : rc;
  }
  return mdb_txn_commit(tx.txn);
}
