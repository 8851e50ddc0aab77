/* SPDX-License-Identifier: MIT
**
** delete.c - deletes buckets with all that is in them, and the trees that this leaves behind.
*/
#include "jangada.h"

#include <string.h>

/* A tree is dropped at once; the items of a prefix are deleted one by one. */
static bool must_walk(const jg_found *bucket) {
  return bucket->prefixed || (bucket->record.flags & JG_HAS_CHILDREN) != 0;
}

static int delete_item(void *context, const jg_found *bucket, MDB_cursor *cursor) {
  (void)context;
  return bucket->prefixed ? mdb_cursor_del(cursor, 0) : 0;
}

/* A dropped tree stays while older transactions may read it: jg_purge removes it later. */
static int drop_tree(void *context, jg_tx *tx, const jg_found *bucket) {
  (void)context;
  if (bucket->prefixed) return 0;
  int rc = mdb_drop(tx->txn, bucket->dbi, 0);
  return rc != 0 ? rc : jg_hide(tx, bucket->record.tree, JG_DEAD);
}

/* Deletes a bucket that jg_find found, with all that is in it (Bolt: DeleteBucket). */
int jg_delete(jg_tx *tx, const jg_bucket *up, const char *name, size_t size, jg_found *found) {
  static const jg_visitor visitor = {must_walk, delete_item, drop_tree};
  MDB_dbi root;
  jg_key key;
  int rc = jg_ensure_root(tx, &root);
  if (!found->has_record) strcpy(found->record.tree, name); /* a tree of another program */
  if (rc == 0) rc = jg_walk(tx, found, &visitor, NULL);
  tx->writes++;
  if (rc != 0 || !found->has_record) return rc;
  jg_child_key(&key, up, name, size);
  return mdb_del(tx->txn, up != NULL ? up->dbi : root, &key.val, NULL);
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
  } else {
    rc = mdb_txn_commit(tx.txn);
  }
  if (rc == 0 || rc == MDB_NOTFOUND) return 0;
  db->trees_seen = SIZE_MAX; /* mdb_drop has closed their handles, though they are there still */
  int refreshed = jg_trees_refresh(db);
  return rc == MDB_MAP_FULL ? refreshed : rc; /* a full file keeps them */
}
