/* SPDX-License-Identifier: MIT
**
** write.c - everything that changes a tree, and the only place that does.
**
** With durability "journal" the operations are also collected, as they are given to LMDB and after
** all logic of buckets, so that replaying them needs none. They are the body of the transaction's
** record (journal.c). A savepoint that is undone cuts off what was collected in it.
**
**     T  size:2 name                                  the next tree index stands for this tree
**     C  size:2 name                                  the same, and the tree is made
**     P  tree:2 key_size:2 value_size:4 key value     put; A: put at the end of the tree
**     D  tree:2 key_size:2 key                        delete
**     R  tree:2 from_size:2 to_size:2 from to         delete from <= key <= to
**     X  tree:2                                       delete all
**
** Numbers are big-endian; tree indices count T and C from 0 in each record.
*/
#include "bucket.h"
#include "journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LARGE ((size_t)1 << 16) /* an operation that is not collected once there is too much */

enum { PUT_HEAD = 9, DELETE_HEAD = 5, RANGE_HEAD = 7, DROP_SIZE = 3, TREE_HEAD = 3 };

/* ---- collecting ---------------------------------------------------------------------------- */

bool jg_buffer_reserve(jg_buffer *b, size_t more) {
  if (b->capacity - b->size >= more) return true;
  size_t capacity = b->capacity == 0 ? 4096 : b->capacity;
  while (capacity - b->size < more) {
    if (capacity > SIZE_MAX / 2) return false;
    capacity *= 2;
  }
  unsigned char *data = realloc(b->data, capacity);
  if (data == NULL) return false;
  b->data = data;
  b->capacity = capacity;
  return true;
}

void jg_ops_clear(jg_ops *ops) {
  if (ops->bytes.capacity > ((size_t)1 << 20)) { /* one large transaction is no reason to keep it */
    free(ops->bytes.data);
    ops->bytes = (jg_buffer){0};
  }
  ops->bytes.size = 0;
  ops->trees_count = 0;
}

void jg_ops_free(jg_ops *ops) {
  free(ops->bytes.data);
  free(ops->trees);
  *ops = (jg_ops){0};
}

static jg_ops *ops_of(const jg_tx *tx) {
  return tx->db->journal == NULL || tx->direct ? NULL : &tx->db->journal->ops;
}

size_t jg_ops_mark(const jg_tx *tx) {
  jg_ops *ops = ops_of(tx);
  return ops != NULL ? ops->bytes.size : 0;
}

void jg_ops_cut(const jg_tx *tx, size_t mark) {
  jg_ops *ops = ops_of(tx);
  if (ops == NULL) return;
  ops->bytes.size = mark;
  while (ops->trees_count > 0 && ops->trees[ops->trees_count - 1].at >= mark)
    ops->trees_count--;
}

/* Notes that the next tree index stands for a tree. */
static int add_tree(jg_ops *ops, char kind, const char *name, MDB_dbi dbi) {
  size_t size = strlen(name);
  if (ops->bytes.size == 0) ops->bytes.size = JG_RECORD_HEAD_SIZE;
  if (ops->trees_count == UINT16_MAX) return MDB_TXN_FULL;
  jg_tree_use *trees = jg_grow(ops->trees, &ops->trees_capacity, ops->trees_count, sizeof *trees);
  if (trees == NULL) return ENOMEM;
  ops->trees = trees;
  if (!jg_buffer_reserve(&ops->bytes, TREE_HEAD + size)) return ENOMEM;
  ops->trees[ops->trees_count++] = (jg_tree_use){dbi, ops->bytes.size};
  unsigned char *p = ops->bytes.data + ops->bytes.size;
  *p = (unsigned char)kind;
  jg_put_u16(p + 1, size);
  memcpy(p + TREE_HEAD, name, size);
  ops->bytes.size += TREE_HEAD + size;
  return 0;
}

static int find_index(const jg_tx *tx, jg_ops *ops, MDB_dbi dbi, unsigned *index) {
  for (*index = 0; *index < ops->trees_count; ++*index)
    if (ops->trees[*index].dbi == dbi) return 0;
  const jg_trees *trees = &tx->db->trees;
  for (unsigned i = 0; i < trees->count; i++)
    if (trees->list[i].dbi == dbi) return add_tree(ops, 'T', trees->list[i].name, dbi);
  return MDB_BAD_DBI;
}

/* Room for an operation of `size` bytes, with its kind and tree filled in: *op is NULL when nothing
** is collected. It counts once it has been applied (finish). */
static int make_room(jg_tx *tx, MDB_dbi dbi, char kind, size_t size, unsigned char **op) {
  jg_ops *ops = ops_of(tx);
  *op = NULL;
  if (ops == NULL) return 0;
  if (size >= LARGE && tx->level == 1 && ops->bytes.size + size > tx->db->journal->size)
    return MDB_TXN_FULL; /* jg_again writes it without a record */
  unsigned index;
  if (ops->bytes.size == 0 && !jg_buffer_reserve(&ops->bytes, JG_RECORD_HEAD_SIZE)) return ENOMEM;
  if (ops->bytes.size == 0) ops->bytes.size = JG_RECORD_HEAD_SIZE;
  int rc = find_index(tx, ops, dbi, &index);
  if (rc != 0) return rc;
  if (!jg_buffer_reserve(&ops->bytes, size)) return ENOMEM;
  *op = ops->bytes.data + ops->bytes.size;
  **op = (unsigned char)kind;
  jg_put_u16(*op + 1, index);
  return 0;
}

/* It was applied, or failed: then not even its tree is named. */
static int finish(const jg_tx *tx, size_t mark, const unsigned char *op, size_t size, int rc) {
  if (op != NULL && rc == 0) tx->db->journal->ops.bytes.size += size;
  if (op != NULL && rc != 0) jg_ops_cut(tx, mark);
  return rc;
}

/* ---- the operations: they return what LMDB does -------------------------------------------- */

/* `cursor` may be one of that tree, or NULL; `flags` is 0 or MDB_APPEND; an escaped value gets its
** head (record.c). */
int jg_put(jg_tx *tx, MDB_dbi dbi, MDB_cursor *cursor, MDB_val *key, const MDB_val *value,
           unsigned flags, bool escapes) {
  size_t stored_size = value->mv_size + (escapes ? JG_ESCAPE_SIZE : 0);
  size_t size = PUT_HEAD + key->mv_size + stored_size;
  size_t mark = jg_ops_mark(tx);
  MDB_val stored = {stored_size, escapes ? NULL : value->mv_data};
  unsigned char *op;
  int rc = make_room(tx, dbi, flags == MDB_APPEND ? 'A' : 'P', size, &op);
  if (rc != 0) return rc;
  if (escapes) flags |= MDB_RESERVE;
  rc = cursor != NULL ? mdb_cursor_put(cursor, key, &stored, flags)
                      : mdb_put(tx->txn, dbi, key, &stored, flags);
  if (rc != 0) return finish(tx, mark, op, size, rc);
  if (escapes) jg_value_escape(value, stored.mv_data);
  if (op == NULL) return 0;
  jg_put_u16(op + 3, key->mv_size);
  jg_put_u32(op + 5, stored_size);
  memcpy(op + PUT_HEAD, key->mv_data, key->mv_size);
  if (escapes)
    jg_value_escape(value, (char *)op + PUT_HEAD + key->mv_size);
  else
    memcpy(op + PUT_HEAD + key->mv_size, value->mv_data, value->mv_size);
  jg_count_dirty(tx->db->journal, dbi, key, size);
  return finish(tx, mark, op, size, 0);
}

/* `cursor`: NULL, or one that stands on the item. */
int jg_del(jg_tx *tx, MDB_dbi dbi, MDB_cursor *cursor, MDB_val *key) {
  unsigned char *op;
  size_t size = DELETE_HEAD + key->mv_size, mark = jg_ops_mark(tx);
  int rc = make_room(tx, dbi, 'D', size, &op);
  if (rc != 0) return rc;
  if (op != NULL) { /* before: the key may lie on the page that changes */
    jg_put_u16(op + 3, key->mv_size);
    memcpy(op + DELETE_HEAD, key->mv_data, key->mv_size);
    jg_count_dirty(tx->db->journal, dbi, key, size);
  }
  rc = cursor != NULL ? mdb_cursor_del(cursor, 0) : mdb_del(tx->txn, dbi, key, NULL);
  return finish(tx, mark, op, size, rc);
}

/* Notes that all items from <= key <= to have been deleted; NULL leaves that end open. */
int jg_note_range(jg_tx *tx, MDB_dbi dbi, const MDB_val *from, const MDB_val *to, uint64_t count) {
  static const MDB_val open_end = {0, NULL};
  if (from == NULL) from = &open_end;
  if (to == NULL) to = &open_end;
  size_t size = RANGE_HEAD + from->mv_size + to->mv_size;
  unsigned char *op;
  int rc = make_room(tx, dbi, 'R', size, &op);
  if (rc != 0 || op == NULL) return rc;
  jg_put_u16(op + 3, from->mv_size);
  jg_put_u16(op + 5, to->mv_size);
  if (from->mv_size > 0) memcpy(op + RANGE_HEAD, from->mv_data, from->mv_size);
  if (to->mv_size > 0) memcpy(op + RANGE_HEAD + from->mv_size, to->mv_data, to->mv_size);
  tx->db->journal->dirty_pages += 4 + count / 16;
  return finish(tx, 0, op, size, 0);
}

int jg_drop(jg_tx *tx, MDB_dbi dbi) {
  unsigned char *op;
  size_t mark = jg_ops_mark(tx);
  int rc = make_room(tx, dbi, 'X', DROP_SIZE, &op);
  return rc != 0 ? rc : finish(tx, mark, op, DROP_SIZE, mdb_drop(tx->txn, dbi, 0));
}

int jg_make_tree(jg_tx *tx, const char *name, MDB_dbi *dbi) {
  jg_ops *ops = ops_of(tx);
  int rc = mdb_dbi_open(tx->txn, name, MDB_CREATE, dbi);
  if (rc == 0) rc = mdb_set_compare(tx->txn, *dbi, jg_compare);
  if (rc != 0 || ops == NULL) return rc;
  tx->db->journal->dirty_pages += 2;
  return add_tree(ops, 'C', name, *dbi);
}

/* ---- too much for one record --------------------------------------------------------------- */

/* What was collected is done again in an LMDB transaction of its own, which can be of any size:
** the commits before it are brought into the file first, and it will be the next checkpoint. */
int jg_promote(jg_tx *tx) {
  jg_db *db = tx->db;
  jg_journal *j = db->journal;
  jg_tx_drop_cursors(tx);
  if (tx->outer != NULL) mdb_txn_abort(tx->outer);
  tx->outer = tx->txn = NULL;
  jg_trees_forget(&db->trees, 1);
  tx->structure++;
  int rc = jg_checkpoint(db, false);
  MDB_txn *parent;
  if (rc == 0) rc = jg_parent(db, &parent);
  if (rc != 0) return rc;
  tx->outer = tx->txn = parent;
  j->parent = NULL;
  tx->direct = true;
  if (j->ops.bytes.size > JG_RECORD_HEAD_SIZE)
    rc = jg_ops_apply(tx, j->ops.bytes.data + JG_RECORD_HEAD_SIZE,
                      j->ops.bytes.size - JG_RECORD_HEAD_SIZE);
  jg_ops_clear(&j->ops);
  if (rc != 0) { /* half of it is no transaction */
    mdb_txn_abort(parent);
    tx->outer = tx->txn = NULL;
    jg_trees_forget(&db->trees, 1);
  }
  return rc;
}

/* After a write that began at `mark`: must it be done again? When LMDB could not keep all pages of
** the transaction in memory, or the journal would not take it, the transaction continues without
** a record. */
bool jg_again(jg_tx *tx, size_t mark, int *rc) {
  jg_ops *ops = ops_of(tx);
  if (ops == NULL || tx->level > 1) return false;
  if (*rc == MDB_TXN_FULL) {
    jg_ops_cut(tx, mark);
    *rc = jg_promote(tx);
    return *rc == 0;
  }
  if (*rc == MDB_MAP_FULL) tx->db->journal->wants_checkpoint = true; /* it frees pages */
  if (*rc == 0 && ops->bytes.size > tx->db->journal->size) *rc = jg_promote(tx);
  return false;
}

/* ---- replaying ----------------------------------------------------------------------------- */

typedef struct reader {
  jg_tx *tx;
  const unsigned char *p, *end;
  MDB_dbi *trees;
  size_t count, capacity;
} reader;

static int read_tree(reader *r, const unsigned char *name, size_t size, bool make) {
  char text[JG_LMDB_KEY_SIZE_MAX + 1];
  if (size == 0 || size > JG_LMDB_KEY_SIZE_MAX || memchr(name, 0, size) != NULL)
    return MDB_CORRUPTED;
  memcpy(text, name, size);
  text[size] = '\0';
  MDB_dbi *trees = jg_grow(r->trees, &r->capacity, r->count, sizeof *trees);
  if (trees == NULL) return ENOMEM;
  r->trees = trees;
  jg_tree *tree = jg_tree_find(r->tx, text);
  int rc = 0;
  if (tree == NULL && make) rc = jg_tree_create(r->tx, text, &tree);
  if (rc == 0 && tree == NULL) rc = MDB_CORRUPTED;
  if (rc == 0) r->trees[r->count++] = tree->dbi;
  return rc;
}

static int delete_range(MDB_txn *txn, MDB_dbi dbi, MDB_val *from, MDB_val *to) {
  MDB_cursor *cursor;
  MDB_val key = *from, value;
  int rc = mdb_cursor_open(txn, dbi, &cursor);
  if (rc != 0) return rc;
  rc = mdb_cursor_get(cursor, &key, &value, from->mv_size > 0 ? MDB_SET_RANGE : MDB_FIRST);
  while (rc == 0 && (to->mv_size == 0 || jg_compare(&key, to) <= 0)) {
    rc = mdb_cursor_del(cursor, 0);
    if (rc == 0) rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
  }
  mdb_cursor_close(cursor);
  return rc == MDB_NOTFOUND ? 0 : rc;
}

static bool take(reader *r, size_t size, MDB_val *into) {
  if ((size_t)(r->end - r->p) < size) return false;
  *into = (MDB_val){size, (void *)r->p};
  r->p += size;
  return true;
}

static int apply_put(reader *r, const unsigned char *head, MDB_dbi dbi) {
  MDB_val key, value;
  if (!take(r, jg_get_u16(head + 3), &key) || !take(r, jg_get_u32(head + 5), &value))
    return MDB_CORRUPTED;
  return mdb_put(r->tx->txn, dbi, &key, &value, *head == 'A' ? MDB_APPEND : 0);
}

static int apply_one(reader *r) {
  static const unsigned char kinds[] = "TCPADRX";
  static const size_t heads[] = {TREE_HEAD,   TREE_HEAD,  PUT_HEAD, PUT_HEAD,
                                 DELETE_HEAD, RANGE_HEAD, DROP_SIZE};
  const unsigned char *head = r->p, *kind = memchr(kinds, *head, sizeof kinds - 1);
  MDB_val key, to;
  if (kind == NULL || (size_t)(r->end - r->p) < heads[kind - kinds]) return MDB_CORRUPTED;
  r->p += heads[kind - kinds];
  size_t n = jg_get_u16(head + 1);
  if (*head == 'T' || *head == 'C')
    return take(r, n, &key) ? read_tree(r, key.mv_data, n, *head == 'C') : MDB_CORRUPTED;
  if (n >= r->count) return MDB_CORRUPTED;
  MDB_dbi dbi = r->trees[n];
  switch (*head) {
  case 'D':
    return take(r, jg_get_u16(head + 3), &key) ? mdb_del(r->tx->txn, dbi, &key, NULL)
                                               : MDB_CORRUPTED;
  case 'R':
    return take(r, jg_get_u16(head + 3), &key) && take(r, jg_get_u16(head + 5), &to)
               ? delete_range(r->tx->txn, dbi, &key, &to)
               : MDB_CORRUPTED;
  case 'X': return mdb_drop(r->tx->txn, dbi, 0);
  default: return apply_put(r, head, dbi);
  }
}

/* Applies operations to tx->txn. They have a good checksum: whatever does not fit is damage. */
int jg_ops_apply(jg_tx *tx, const unsigned char *ops, size_t size) {
  reader r = {.tx = tx, .p = ops, .end = ops + size};
  int rc = 0;
  while (rc == 0 && r.p < r.end)
    rc = apply_one(&r);
  free(r.trees);
  switch (rc) {
  case MDB_NOTFOUND:
  case MDB_KEYEXIST:
  case MDB_BAD_VALSIZE:
  case MDB_INCOMPATIBLE: return MDB_CORRUPTED;
  default: return rc;
  }
}
