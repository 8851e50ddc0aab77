/* SPDX-License-Identifier: MIT
**
** catalog.c - which buckets there are: finding, making and deleting them, below Lua.
**
** A bucket is a pair (tree, prefix): all keys of one LMDB database, or those of it that begin
** with 8 given bytes.
**
**     main database of LMDB      "accounts" -> tree        "\1jangada" -> the root tree
**                                     |                         |
**     keys as users gave them    "ann" "bob"                    |
**                                                               |
**     the root tree              0 . "accounts" -> record T    7 . "key of bucket 7" -> value
**                                0 . "odd\0name" -> record P   ~0 . "format", "next_id", ...
**
** The top level is bucket 0 of the root tree, and what is said of one bucket holds for it too;
** but which trees exist is what LMDB's main database says: a tree made by another program has no
** record, and is a bucket all the same.
*/
#include "bucket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- finding ------------------------------------------------------------------------------- */

void jg_set_key(jg_key *key, uint64_t prefix, const void *name, size_t size) {
  jg_put_u64(key->bytes, prefix);
  memcpy(key->bytes + JG_PREFIX_SIZE, name, size);
  key->val = (MDB_val){JG_PREFIX_SIZE + size, key->bytes};
}

void jg_child_key(jg_key *key, const jg_bucket *up, const char *name, size_t size) {
  if (up == NULL || up->prefixed) {
    jg_set_key(key, up == NULL ? JG_ROOT_ID : up->record.id, name, size);
  } else {
    memcpy(key->bytes, name, size);
    key->val = (MDB_val){size, key->bytes};
  }
}

static void generate_tree_name(jg_record *record) {
  static const char digits[] = "0123456789abcdef";
  memcpy(record->tree, "\1t", 2);
  for (int i = 0; i < 16; i++)
    record->tree[2 + i] = digits[record->id >> (60 - 4 * i) & 15];
  record->tree[18] = '\0';
}

/* A tree can bear a bucket's name if LMDB can, its text dump can (lines), and the mark of a hidden
** one fits into a key. */
static bool can_name_tree(const char *name, size_t size) {
  return size <= JG_TREE_NAME_MAX && name[0] != '\1' && memchr(name, 0, size) == NULL &&
         memchr(name, '\n', size) == NULL;
}

/* Reads a field of the store's own, in a transaction of its own: as much of it as there is room
** for; *size was the room, and is its size then. */
int jg_read_field(jg_db *db, const char *name, void *into, size_t *size) {
  jg_tx tx = {.db = db};
  jg_key key;
  MDB_val value;
  MDB_dbi root;
  int rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &tx.txn);
  if (rc != 0) return rc;
  tx.id = mdb_txn_id(tx.txn);
  rc = jg_find_root(&tx, &root);
  if (rc == 0) {
    jg_set_key(&key, JG_SYSTEM_ID, name, strlen(name));
    rc = mdb_get(tx.txn, root, &key.val, &value);
  }
  if (rc == 0) {
    memcpy(into, value.mv_data, value.mv_size < *size ? value.mv_size : *size);
    *size = value.mv_size;
  }
  mdb_txn_abort(tx.txn);
  return rc;
}

/* MDB_NOTFOUND in a file that we never wrote to. */
int jg_find_root(jg_tx *tx, MDB_dbi *root) {
  jg_tree *tree = jg_tree_find(tx, JG_ROOT_TREE);
  if (tree == NULL) return MDB_NOTFOUND;
  *root = tree->dbi;
  return 0;
}

int jg_ensure_root(jg_tx *tx, MDB_dbi *root) {
  jg_tree *tree;
  int rc = jg_find_root(tx, root);
  if (rc != MDB_NOTFOUND) return rc;
  rc = jg_tree_create(tx, JG_ROOT_TREE, &tree);
  if (rc == 0) *root = tree->dbi;
  return rc;
}

/* Which trees exist is what the main database says, so those that are no top-level bucket of their
** name are marked in the root tree: the dead (dropped, to be purged) and the moved. */
void jg_hidden_key(jg_key *key, const char *tree_name) {
  size_t size = strlen(tree_name);
  jg_set_key(key, JG_SYSTEM_ID, tree_name, 0);
  key->bytes[JG_PREFIX_SIZE] = JG_HIDDEN_MARK;
  memcpy(key->bytes + JG_PREFIX_SIZE + 1, tree_name, size);
  key->val.mv_size += 1 + size;
}

/* The mark of a tree; 0: it has none. */
static int read_mark(jg_tx *tx, const char *tree_name, char *mark) {
  MDB_dbi root;
  jg_key key;
  MDB_val value;
  *mark = 0;
  int rc = jg_find_root(tx, &root);
  if (rc == 0) {
    jg_hidden_key(&key, tree_name);
    rc = mdb_get(tx->txn, root, &key.val, &value);
  }
  if (rc == 0) *mark = value.mv_size == 1 ? *(char *)value.mv_data : JG_DEAD;
  return rc == MDB_NOTFOUND ? 0 : rc;
}

int jg_hide(jg_tx *tx, const char *tree_name, char why) {
  MDB_dbi root;
  jg_key key;
  MDB_val value = {1, &why};
  int rc = jg_find_root(tx, &root);
  if (rc != 0) return rc;
  jg_hidden_key(&key, tree_name);
  return jg_put(tx, root, NULL, &key.val, &value, 0, false);
}

static int unhide(jg_tx *tx, const char *tree_name) {
  MDB_dbi root;
  jg_key key;
  int rc = jg_find_root(tx, &root);
  if (rc != 0) return rc;
  jg_hidden_key(&key, tree_name);
  return jg_del(tx, root, NULL, &key.val);
}

static void found_tree(const jg_tree *tree, jg_found *found) {
  found->kind = tree->compatible ? JG_IS_BUCKET : JG_IS_FOREIGN;
  found->dbi = tree->dbi;
  found->prefixed = false;
}

/* From a record to the tree and prefix it stands for; absent when the tree is not there. */
int jg_follow(jg_tx *tx, jg_found *found) {
  found->has_record = true;
  if (found->record.kind == 'P') {
    found->kind = JG_IS_BUCKET;
    found->prefixed = true;
    return jg_find_root(tx, &found->dbi);
  }
  jg_tree *tree = jg_tree_find(tx, found->record.tree);
  if (tree != NULL) found_tree(tree, found);
  return 0;
}

/* At the top level, a name without a record: a tree of another program, or a plain key. */
static int find_foreign(jg_tx *tx, const char *name, size_t size, jg_found *found) {
  if (!can_name_tree(name, size)) return 0;
  jg_tree *tree = jg_tree_find(tx, name);
  if (tree != NULL) {
    char mark;
    int rc = read_mark(tx, name, &mark);
    if (rc == 0 && mark == 0) found_tree(tree, found);
    return rc;
  }
  MDB_val key = {size, (void *)name}, value;
  int rc = mdb_get(tx->txn, JG_MAIN_DBI, &key, &value);
  if (rc == 0) found->kind = JG_IS_KEY;
  return rc == MDB_NOTFOUND ? 0 : rc;
}

/* `name` ends with a NUL, as a Lua string does. */
int jg_find(jg_tx *tx, const jg_bucket *up, const char *name, size_t size, jg_found *found) {
  memset(found, 0, offsetof(jg_found, record) + offsetof(jg_record, tree) + 1);
  found->kind = JG_IS_ABSENT;
  if (up != NULL && (up->record.flags & JG_INTEGER_KEYS) != 0) return 0;
  jg_key key;
  MDB_val value;
  MDB_dbi dbi = 0;
  int rc = 0;
  if (up != NULL)
    dbi = up->dbi;
  else
    rc = jg_find_root(tx, &dbi);
  if (rc == 0) {
    jg_child_key(&key, up, name, size);
    rc = mdb_get(tx->txn, dbi, &key.val, &value);
  }
  if (rc == MDB_NOTFOUND) return up == NULL ? find_foreign(tx, name, size, found) : 0;
  if (rc != 0) return rc;
  switch (jg_value_read(&value, &found->record)) {
  case JG_RECORD: return jg_follow(tx, found);
  case JG_DAMAGED: return MDB_CORRUPTED;
  default: found->kind = JG_IS_KEY; return up == NULL ? MDB_CORRUPTED : 0;
  }
}

/* ---- making -------------------------------------------------------------------------------- */

static int new_id(jg_tx *tx, MDB_dbi root, uint64_t *id) {
  jg_key key;
  unsigned char bytes[8];
  MDB_val value;
  jg_set_key(&key, JG_SYSTEM_ID, "next_id", 7);
  int rc = mdb_get(tx->txn, root, &key.val, &value);
  if (rc != 0 && rc != MDB_NOTFOUND) return rc;
  if (rc == 0 && value.mv_size != 8) return MDB_CORRUPTED;
  *id = rc == 0 ? jg_get_u64(value.mv_data) : 1; /* 0 is the top level */
  jg_put_u64(bytes, *id + 1);
  value = (MDB_val){8, bytes};
  return jg_put(tx, root, NULL, &key.val, &value, 0, false);
}

static int write_record(jg_tx *tx, const jg_bucket *up, const char *name, size_t size,
                        const jg_record *record) {
  jg_key key;
  MDB_dbi dbi = 0;
  unsigned char bytes[JG_RECORD_SIZE_MAX];
  MDB_val value = {jg_record_write(record, bytes), bytes};
  int rc = 0;
  if (up != NULL)
    dbi = up->dbi;
  else
    rc = jg_find_root(tx, &dbi);
  if (rc != 0) return rc;
  jg_child_key(&key, up, name, size);
  return jg_put(tx, dbi, NULL, &key.val, &value, 0, false);
}

/* Also for a tree of another program, which has no record until it needs one. */
int jg_write_record(jg_bucket *b) {
  int rc = 0;
  if (!b->has_record) {
    MDB_dbi root;
    rc = jg_ensure_root(b->tx, &root);
    if (rc == 0) rc = new_id(b->tx, root, &b->record.id);
    b->record.kind = 'T';
    strcpy(b->record.tree, b->name); /* only top-level buckets have none, and bear a tree's name */
    b->has_record = rc == 0;
  }
  return rc != 0 ? rc : write_record(b->tx, b->up, b->name, b->name_size, &b->record);
}

/* Makes the tree of a new bucket. A top-level bucket's bears its name: a dead one of that name
** comes back into use, but one that was moved away keeps the name. */
static int make_tree(jg_tx *tx, bool top, const char *name, size_t size, jg_found *made) {
  char mark = 0;
  jg_tree *tree = NULL;
  int rc = 0;
  generate_tree_name(&made->record);
  if (top && can_name_tree(name, size)) {
    rc = read_mark(tx, name, &mark);
    if (rc == 0 && mark != JG_MOVED) strcpy(made->record.tree, name);
  }
  if (rc == 0) tree = jg_tree_find(tx, made->record.tree);
  if (rc == 0 && tree == NULL) rc = jg_tree_create(tx, made->record.tree, &tree);
  if (rc == 0 && mark == JG_DEAD) rc = unhide(tx, name);
  if (rc == 0) made->dbi = tree->dbi;
  return rc;
}

/* Notes in a bucket's record that it has had buckets in it: one without is not searched for any. */
static int expect_children(jg_bucket *b) {
  if (b == NULL || (b->record.flags & JG_HAS_CHILDREN) != 0) return 0;
  b->record.flags |= JG_HAS_CHILDREN;
  return jg_write_record(b);
}

int jg_create(jg_tx *tx, jg_bucket *up, const char *name, size_t size, jg_found *made) {
  MDB_dbi root;
  int rc = jg_ensure_root(tx, &root);
  if (rc == 0) rc = new_id(tx, root, &made->record.id);
  if (rc != 0) return rc;
  made->prefixed = made->record.kind == 'P';
  made->dbi = root;
  made->has_record = true;
  if (!made->prefixed) {
    rc = make_tree(tx, up == NULL, name, size, made);
    if (rc != 0) return rc;
  }
  tx->writes++;
  rc = expect_children(up);
  return rc != 0 ? rc : write_record(tx, up, name, size, &made->record);
}

/* Moves the bucket that jg_find found, from one parent to another, under the same name. */
int jg_move(jg_tx *tx, const jg_bucket *from, jg_bucket *to, const char *name, size_t size,
            jg_found *found) {
  MDB_dbi root;
  jg_key key;
  jg_record *record = &found->record;
  int rc = jg_ensure_root(tx, &root);
  if (rc == 0 && !found->has_record) {
    rc = new_id(tx, root, &record->id);
    record->kind = 'T';
    strcpy(record->tree, name);
  } else if (rc == 0) {
    jg_child_key(&key, from, name, size);
    rc = jg_del(tx, from != NULL ? from->dbi : root, NULL, &key.val);
  }
  if (rc == 0 && record->kind == 'T' && strcmp(record->tree, name) == 0) {
    if (from == NULL) rc = jg_hide(tx, name, JG_MOVED);
    if (to == NULL) rc = unhide(tx, name);
    if (rc == MDB_NOTFOUND) rc = 0;
  }
  if (rc == 0) rc = expect_children(to);
  if (rc == 0) rc = write_record(tx, to, name, size, record);
  tx->writes++;
  found->has_record = rc == 0;
  return rc;
}

/* ---- listing ------------------------------------------------------------------------------- */

/* The first item past `after` in a database, by cursor; after of no size: the first. */
static int first_after(MDB_cursor *cursor, const MDB_val *after, MDB_val *key, MDB_val *value) {
  *key = *after;
  int rc = mdb_cursor_get(cursor, key, value, after->mv_size > 0 ? MDB_SET_RANGE : MDB_FIRST);
  if (rc == 0 && jg_compare(key, after) == 0) rc = mdb_cursor_get(cursor, key, value, MDB_NEXT);
  return rc;
}

/* The next record past `after` among the items of a bucket. */
static int next_record(jg_tx *tx, const jg_bucket *up, const MDB_val *after, jg_key *next) {
  MDB_dbi dbi = 0;
  MDB_cursor *cursor;
  MDB_val key, value;
  jg_key from;
  jg_record record;
  int rc = 0;
  if (up != NULL)
    dbi = up->dbi;
  else
    rc = jg_find_root(tx, &dbi);
  if (rc == 0) rc = mdb_cursor_open(tx->txn, dbi, &cursor);
  if (rc != 0) return rc;
  jg_child_key(&from, up, after->mv_data, after->mv_size);
  size_t skip = up == NULL || up->prefixed ? JG_PREFIX_SIZE : 0;
  rc = first_after(cursor, &from.val, &key, &value);
  for (; rc == 0; rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
    if (key.mv_size <= skip || memcmp(key.mv_data, from.bytes, skip) != 0) {
      rc = MDB_NOTFOUND;
      break;
    }
    if (jg_value_read(&value, &record) != JG_RECORD) continue;
    if (key.mv_size > JG_LMDB_KEY_SIZE_MAX) {
      rc = MDB_CORRUPTED;
      break;
    }
    next->val = (MDB_val){key.mv_size - skip, next->bytes};
    memcpy(next->bytes, (char *)key.mv_data + skip, next->val.mv_size);
    jg_found found = {.kind = JG_IS_ABSENT, .record = record};
    rc = jg_follow(tx, &found);
    if (rc != 0 || found.kind != JG_IS_ABSENT) break;
  }
  mdb_cursor_close(cursor);
  return rc;
}

/* The next tree past `after` that has no record: one of another program. */
static int next_foreign(jg_tx *tx, const MDB_val *after, jg_key *next) {
  MDB_cursor *cursor;
  MDB_val key, value;
  int rc = mdb_cursor_open(tx->txn, JG_MAIN_DBI, &cursor);
  if (rc != 0) return rc;
  rc = first_after(cursor, after, &key, &value);
  for (; rc == 0; rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
    if (key.mv_size == 0 || key.mv_size > JG_KEY_SIZE_MAX) continue;
    jg_found found = {.kind = JG_IS_ABSENT};
    next->val = (MDB_val){key.mv_size, next->bytes};
    memcpy(next->bytes, key.mv_data, key.mv_size);
    next->bytes[key.mv_size] = '\0';
    rc = find_foreign(tx, (char *)next->bytes, key.mv_size, &found);
    if (rc != 0 || found.kind == JG_IS_BUCKET || found.kind == JG_IS_FOREIGN) break;
  }
  mdb_cursor_close(cursor);
  return rc;
}

/* The name of the bucket that follows `after`; MDB_NOTFOUND past the last. */
int jg_next_name(jg_tx *tx, const jg_bucket *up, const char *after, size_t size, jg_key *next) {
  MDB_val past = {size, (void *)after};
  jg_key foreign;
  if (up != NULL && (up->record.flags & JG_HAS_CHILDREN) == 0) return MDB_NOTFOUND;
  int rc = next_record(tx, up, &past, next);
  if (up != NULL || (rc != 0 && rc != MDB_NOTFOUND)) return rc;
  int foreign_rc = next_foreign(tx, &past, &foreign);
  if (foreign_rc == MDB_NOTFOUND) return rc;
  if (foreign_rc != 0) return foreign_rc;
  if (rc == MDB_NOTFOUND || jg_compare(&foreign.val, &next->val) < 0) jg_copy_key(next, &foreign);
  return 0;
}
