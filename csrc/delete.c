/* SPDX-License-Identifier: MIT
**
** delete.c - deletes buckets with all that is in them, and the trees that this leaves behind.
*/
#include "bucket.h"
#include "journal.h"

#include <errno.h>
#include <string.h>

/* A tree is dropped at once; the items of a prefix are deleted one by one. */
static bool must_walk(const jg_found *bucket) {
  return bucket->prefixed || (bucket->record.flags & JG_HAS_CHILDREN) != 0;
}

static int delete_item(void *context, const jg_found *bucket, MDB_cursor *cursor) {
  uint64_t *count = context;
  ++*count;
  return bucket->prefixed ? mdb_cursor_del(cursor, 0) : 0;
}

/* The bucket's items are gone, one by one, or are now: with the tree that they are in.
** A dropped tree stays while older transactions may read it: jg_purge removes it later. */
static int drop_tree(void *context, jg_tx *tx, const jg_found *bucket) {
  uint64_t *count = context, deleted = *count;
  if (bucket->prefixed) {
    unsigned char prefix[JG_PREFIX_SIZE], end[JG_LMDB_KEY_SIZE_MAX];
    MDB_val first = {JG_PREFIX_SIZE, prefix}, last;
    jg_put_u64(prefix, bucket->record.id);
    jg_prefix_end(prefix, end, &last);
    *count = 0;
    return jg_note_range(tx, bucket->dbi, &first, &last, deleted);
  }
  int rc = jg_drop(tx, bucket->dbi);
  return rc != 0 ? rc : jg_hide(tx, bucket->record.tree, JG_DEAD);
}

/* Deletes a bucket that jg_find found, with all that is in it (Bolt: DeleteBucket). */
int jg_delete(jg_tx *tx, const jg_bucket *up, const char *name, size_t size, jg_found *found) {
  static const jg_visitor visitor = {must_walk, delete_item, drop_tree};
  MDB_dbi root;
  jg_key key;
  int rc = jg_ensure_root(tx, &root);
  if (!found->has_record) strcpy(found->record.tree, name); /* a tree of another program */
  uint64_t count = 0;
  if (rc == 0) rc = jg_walk(tx, found, &visitor, &count);
  tx->writes++;
  if (rc != 0 || !found->has_record) return rc;
  jg_child_key(&key, up, name, size);
  return jg_del(tx, up != NULL ? up->dbi : root, NULL, &key.val);
}

/* Removes the dead trees for good; the transaction is the only one of ours. */
int jg_purge_in(jg_tx *tx, unsigned *purged) {
  MDB_dbi root;
  MDB_cursor *cursor;
  jg_key first;
  MDB_val key, value;
  *purged = 0;
  if (jg_find_root(tx, &root) != 0) return 0;
  int rc = mdb_cursor_open(tx->txn, root, &cursor);
  if (rc != 0) return rc;
  jg_hidden_key(&first, "");
  key = first.val;
  rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
  while (rc == 0 && key.mv_size > first.val.mv_size &&
         memcmp(key.mv_data, first.bytes, first.val.mv_size) == 0) {
    char name[JG_LMDB_KEY_SIZE_MAX + 1];
    size_t size = key.mv_size - first.val.mv_size;
    memcpy(name, (char *)key.mv_data + first.val.mv_size, size);
    name[size] = '\0';
    if (value.mv_size == 1 && *(char *)value.mv_data == JG_DEAD) {
      rc = jg_tree_purge(tx, name);
      if (rc == 0) rc = mdb_cursor_del(cursor, 0);
      ++*purged;
    }
    if (rc == 0) rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
  }
  mdb_cursor_close(cursor);
  return rc == MDB_NOTFOUND ? 0 : rc;
}

static int purge(jg_db *db) {
  jg_tx tx = {.db = db, .writable = true, .level = 1};
  unsigned purged;
  int rc = mdb_txn_begin(db->env, NULL, 0, &tx.txn);
  if (rc != 0) return rc;
  rc = jg_purge_in(&tx, &purged);
  if (rc != 0 || purged == 0)
    mdb_txn_abort(tx.txn);
  else
    rc = mdb_txn_commit(tx.txn);
  if (rc == 0) return 0;
  db->trees_seen = SIZE_MAX; /* mdb_drop has closed their handles, though they are there still */
  int refreshed = jg_trees_refresh(db);
  return refreshed != 0 ? refreshed : rc;
}

/* When the file is opened, and nobody else reads it; or when there is no room for new trees. */
int jg_purge(jg_db *db) {
  int rc = db->journal != NULL ? jg_journal_purge(db) : purge(db);
  bool is_full = rc == MDB_MAP_FULL || rc == ENOSPC || (rc == EIO && jg_file_is_full(db));
  return is_full ? 0 : rc; /* a full file keeps them */
}
