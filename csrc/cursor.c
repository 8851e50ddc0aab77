/* SPDX-License-Identifier: MIT
**
** cursor.c - the class Cursor: a place among the items of a bucket.
**
** LMDB's cursors are not trusted with the place: NEXT on a fresh one goes to the first item, a
** second delete takes the next item, and what one cursor changes moves others in ways that
** differ from version to version. So a Cursor knows its place by itself:
**
**     UNSET    nowhere yet               next, prev: nil
**     ON       on the item `key`         next, prev: the neighbours by key; past an end: nil,
**                                        and it stays on the item (Bolt)
**     DELETED  its item was deleted      next, prev: the neighbours of the gap
**     PAST     a seek found nothing      next: nil; prev: the last item
**
** and LMDB's cursor is only a shortcut: while nothing was written since it was placed, the next
** item is one step away; else it is sought by key, so that nothing is skipped or seen twice.
**
** User values of a Cursor: 1 its Bucket.
*/
#include "bucket.h"

#include <string.h>

enum { BUCKET = 1 };

/* ---- handles ------------------------------------------------------------------------------- */

void jg_cursor_drop(jg_cursor *c) {
  if (c->cur != NULL) mdb_cursor_close(c->cur);
  c->cur = NULL;
  c->synced = false;
}

void jg_cursor_release(jg_handle *h) {
  jg_cursor *c = (jg_cursor *)h;
  if (!jg_is_forked(c->bucket->tx->db)) jg_cursor_drop(c);
  c->cur = NULL;
}

static jg_cursor *new_cursor(lua_State *L, int bucket_idx, size_t size) {
  jg_cursor *c = lua_newuserdatauv(L, size, 1);
  memset(c, 0, offsetof(jg_cursor, key)); /* the keys are set before they are read */
  jg_set_class(L, JG_CURSOR);
  lua_pushvalue(L, bucket_idx);
  lua_setiuservalue(L, -2, BUCKET);
  jg_bucket *b = jg_check_bucket(L, bucket_idx); /* again: the allocation may have run finalizers */
  c->bucket = b;
  c->left = -1;
  b->tx->counts.cursors++;
  jg_link(&c->h, &b->tx->h, jg_cursor_release);
  return c;
}

/* Bounds take most of a cursor's room, and only an iteration has some. */
jg_cursor *jg_cursor_new(lua_State *L, int bucket_idx) {
  return new_cursor(L, bucket_idx, offsetof(jg_cursor, start));
}

jg_cursor *jg_cursor_new_bounded(lua_State *L, int bucket_idx) {
  return new_cursor(L, bucket_idx, sizeof(jg_cursor));
}

static jg_cursor *self_cursor(lua_State *L) {
  jg_cursor *c = jg_self(L, JG_CURSOR);
  if (c->bucket == NULL) jg_raise(L, "cursor_closed", "the cursor is closed");
  jg_bucket_check(L, c->bucket);
  if (!c->h.open) jg_raise(L, "cursor_closed", "the cursor is closed");
  return c;
}

/* ---- places -------------------------------------------------------------------------------- */

static int settle(jg_cursor *c, const MDB_val *key) {
  if (!jg_in_bucket(c->bucket, key)) {
    c->synced = false;
    return MDB_NOTFOUND;
  }
  if (key->mv_size > sizeof c->key.bytes) return MDB_CORRUPTED;
  memcpy(c->key.bytes, key->mv_data, key->mv_size);
  c->key.val = (MDB_val){key->mv_size, c->key.bytes};
  c->position = JG_ON;
  c->synced = true;
  c->writes = c->bucket->tx->writes;
  return 0;
}

/* The first item not below `from`; a key of no bytes is below all. */
static int seek(jg_cursor *c, const MDB_val *from, MDB_val *key, MDB_val *value) {
  *key = *from;
  return mdb_cursor_get(c->cur, key, value, from->mv_size > 0 ? MDB_SET_RANGE : MDB_FIRST);
}

static int first(jg_cursor *c, MDB_val *key, MDB_val *value) {
  MDB_val start = {c->bucket->prefixed ? JG_PREFIX_SIZE : 0, c->bucket->prefix};
  return seek(c, &start, key, value);
}

static int last(jg_cursor *c, MDB_val *key, MDB_val *value) {
  unsigned char end[JG_PREFIX_SIZE];
  if (!c->bucket->prefixed) return mdb_cursor_get(c->cur, key, value, MDB_LAST);
  jg_put_u64(end, jg_get_u64(c->bucket->prefix) + 1); /* ids stay below the system's, 2^64-1 */
  MDB_val past = {JG_PREFIX_SIZE, end};
  int rc = seek(c, &past, key, value);
  return mdb_cursor_get(c->cur, key, value, rc == 0 ? MDB_PREV : MDB_LAST);
}

static bool is_same(const MDB_val *a, const MDB_val *b) {
  return a->mv_size == b->mv_size && memcmp(a->mv_data, b->mv_data, a->mv_size) == 0;
}

/* The first item above the place. */
static int next(jg_cursor *c, MDB_val *key, MDB_val *value) {
  if (c->synced && c->writes == c->bucket->tx->writes)
    return mdb_cursor_get(c->cur, key, value, MDB_NEXT);
  int rc = seek(c, &c->key.val, key, value);
  return rc == 0 && is_same(key, &c->key.val) ? mdb_cursor_get(c->cur, key, value, MDB_NEXT) : rc;
}

/* The last item below the place. */
static int prev(jg_cursor *c, MDB_val *key, MDB_val *value) {
  if (c->synced && c->writes == c->bucket->tx->writes)
    return mdb_cursor_get(c->cur, key, value, MDB_PREV);
  int rc = seek(c, &c->key.val, key, value);
  return mdb_cursor_get(c->cur, key, value, rc == 0 ? MDB_PREV : MDB_LAST);
}

static int open_cursor(jg_cursor *c) {
  if (c->cur != NULL) return 0;
  int rc = mdb_cursor_open(c->bucket->tx->txn, c->bucket->dbi, &c->cur);
  if (rc != 0) c->cur = NULL;
  return rc;
}

/* Moves, and gives what is there now; MDB_NOTFOUND where the move leads past an end. */
int jg_cursor_move(jg_cursor *c, MDB_cursor_op op, MDB_val *key, MDB_val *value) {
  bool is_step = op == MDB_NEXT || op == MDB_PREV;
  c->bucket->tx->counts.moves++;
  if (is_step && c->position == JG_UNSET) return MDB_NOTFOUND;
  if (op == MDB_NEXT && c->position == JG_PAST) return MDB_NOTFOUND;
  if (op == MDB_PREV && c->position == JG_PAST) op = MDB_LAST;
  int rc = open_cursor(c);
  if (rc != 0) return rc;
  switch (op) {
  case MDB_FIRST: rc = first(c, key, value); break;
  case MDB_LAST: rc = last(c, key, value); break;
  case MDB_NEXT: rc = next(c, key, value); break;
  default: rc = prev(c, key, value);
  }
  if (rc == 0) rc = settle(c, key);
  if (rc != 0) c->synced = false;
  if (rc == MDB_NOTFOUND && !is_step) c->position = JG_UNSET; /* the bucket is empty */
  return rc;
}

int jg_cursor_seek(jg_cursor *c, const MDB_val *to, MDB_val *key, MDB_val *value) {
  c->bucket->tx->counts.moves++;
  int rc = open_cursor(c);
  if (rc == 0) rc = seek(c, to, key, value);
  if (rc == 0) rc = settle(c, key);
  if (rc != 0) c->synced = false;
  if (rc == MDB_NOTFOUND) c->position = JG_PAST;
  return rc;
}

/* Pushes key and value of where the cursor is. The value comes first: pushing it may run
** finalizers, which may end the transaction and unmap what `value` points to, or move this very
** cursor: so the key is copied before. */
int jg_cursor_push(lua_State *L, jg_cursor *c, int rc, const MDB_val *value, const char *what) {
  if (rc == MDB_NOTFOUND) {
    lua_pushnil(L);
    return 1;
  }
  if (rc != 0) return jg_raise_rc(L, rc, what);
  jg_key key;
  jg_copy_key(&key, &c->key);
  jg_push_value(L, c->bucket, value);
  jg_push_key(L, c->bucket, &key.val);
  lua_insert(L, -2);
  return 2;
}

/* ---- methods ------------------------------------------------------------------------------- */

static int move(lua_State *L, MDB_cursor_op op, const char *what) {
  jg_cursor *c = self_cursor(L);
  MDB_val key, value;
  int rc = jg_cursor_move(c, op, &key, &value);
  return jg_cursor_push(L, c, rc, &value, what);
}

static int cursor_first(lua_State *L) {
  return move(L, MDB_FIRST, "first");
}

static int cursor_last(lua_State *L) {
  return move(L, MDB_LAST, "last");
}

static int cursor_next(lua_State *L) {
  return move(L, MDB_NEXT, "next");
}

static int cursor_prev(lua_State *L) {
  return move(L, MDB_PREV, "prev");
}

static int cursor_seek(lua_State *L) {
  jg_cursor *c = self_cursor(L);
  jg_key to;
  MDB_val key, value;
  jg_check_bound(L, 2, c->bucket, "seek", &to);
  int rc = jg_cursor_seek(c, &to.val, &key, &value);
  return jg_cursor_push(L, c, rc, &value, "seek");
}

static int cursor_delete(lua_State *L) {
  jg_cursor *c = self_cursor(L);
  jg_bucket *b = c->bucket;
  MDB_val key, value;
  jg_record record;
  jg_check_writable(L, b->tx, "delete");
  if (c->position != JG_ON)
    jg_raise(L, "cursor_unpositioned", "delete: the cursor stands on no item");
  int rc = open_cursor(c);
  if (rc == 0) rc = seek(c, &c->key.val, &key, &value);
  if (rc == MDB_NOTFOUND || (rc == 0 && !is_same(&key, &c->key.val)))
    jg_raise(L, "cursor_unpositioned", "delete: the cursor's item was deleted meanwhile");
  if (rc != 0) jg_raise_rc(L, rc, "delete");
  if ((b->record.flags & JG_INTEGER_KEYS) == 0 && jg_value_read(&value, &record) == JG_RECORD)
    jg_raise(L, "incompatible", "delete: there is a bucket under that key");
  b->tx->writes++;
  b->tx->counts.deletes++;
  size_t mark = jg_ops_mark(b->tx);
  do
    rc = jg_del(b->tx, b->dbi, c->cur, &c->key.val);
  while (jg_again(b->tx, mark, &rc));
  if (rc != 0) jg_raise_rc(L, rc, "delete");
  c->position = JG_DELETED;
  c->synced = false;
  return 0;
}

static int cursor_bucket(lua_State *L) {
  jg_self(L, JG_CURSOR);
  lua_getiuservalue(L, 1, BUCKET);
  return 1;
}

static int cursor_release(lua_State *L) {
  jg_cursor *c = jg_self(L, JG_CURSOR);
  jg_close(&c->h);
  return 0;
}

static int cursor_tostring(lua_State *L) {
  jg_cursor *c = jg_self(L, JG_CURSOR);
  lua_pushfstring(L, "jangada.Cursor: %p (%s)", (void *)c, c->h.open ? c->bucket->name : "closed");
  return 1;
}

int jg_bucket_cursor(lua_State *L) {
  jg_self_bucket(L);
  jg_cursor_new(L, 1);
  return 1;
}

static const luaL_Reg methods[] = {{"first", cursor_first},   {"last", cursor_last},
                                   {"next", cursor_next},     {"prev", cursor_prev},
                                   {"seek", cursor_seek},     {"delete", cursor_delete},
                                   {"bucket", cursor_bucket}, {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__gc", cursor_release},
                                       {"__close", cursor_release},
                                       {"__tostring", cursor_tostring},
                                       {NULL, NULL}};

void jg_open_cursor(lua_State *L) {
  jg_class(L, JG_CURSOR, metamethods, methods);
}
