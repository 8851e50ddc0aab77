/* SPDX-License-Identifier: MIT
**
** bucket.c - the class Bucket: handles on what catalog.c finds and makes.
**
** User values of a Bucket: 1 its parent (Bucket or Tx), 2 its name, 3 its open buckets: nil, the
** first of them, or a weak table by name once there was a second (a transaction that opens one
** bucket is too common to make a table for it). A name has one open Bucket in a transaction, so all
** who hold it see one state.
*/
#include "bucket.h"

#include <string.h>

enum { PARENT = 1, NAME, BUCKETS };

/* ---- checks -------------------------------------------------------------------------------- */

/* A savepoint was undone since the bucket was looked up: is it still what it was? */
static void look_again(lua_State *L, jg_bucket *b) {
  jg_found found;
  int rc = jg_find(b->tx, b->up, b->name, b->name_size, &found);
  if (rc != 0) jg_raise_rc(L, rc, "bucket");
  bool same_id = !found.has_record || !b->has_record || found.record.id == b->record.id;
  if (found.kind != JG_IS_BUCKET || found.dbi != b->dbi || found.prefixed != b->prefixed ||
      !same_id) {
    jg_close(&b->h); /* and with it the buckets in it */
    return;
  }
  jg_copy_record(&b->record, &found.record);
  b->has_record = found.has_record;
  b->structure = b->tx->structure;
}

/* From the top down, without recursion: buckets may nest deeper than C's stack. */
static void look_from_top(lua_State *L, jg_bucket *b) {
  jg_bucket *stale = NULL;
  for (jg_bucket *p = b; p != NULL && p->structure != b->tx->structure; p = p->up) {
    p->below = stale;
    stale = p;
  }
  for (; stale != NULL && b->h.open; stale = stale->below)
    look_again(L, stale);
}

void jg_bucket_check(lua_State *L, jg_bucket *b) {
  jg_check_usable(L, b->tx);
  if (b->h.open && b->structure != b->tx->structure) look_from_top(L, b);
  if (!b->h.open) jg_raise(L, "bucket_closed", "the bucket '%s' is gone", b->name);
}

static jg_bucket *check_open(lua_State *L, jg_bucket *b) {
  if (b->tx == NULL) jg_raise(L, "bucket_closed", "the bucket is gone");
  jg_bucket_check(L, b);
  return b;
}

jg_bucket *jg_check_bucket(lua_State *L, int idx) {
  return check_open(L, jg_check_handle(L, idx, JG_BUCKET));
}

jg_bucket *jg_self_bucket(lua_State *L) {
  return check_open(L, jg_self(L, JG_BUCKET));
}

/* The name of a bucket, at index 2. */
const char *jg_check_name(lua_State *L, const char *what, size_t *size) {
  luaL_checktype(L, 2, LUA_TSTRING);
  const char *name = lua_tolstring(L, 2, size);
  if (*size == 0) jg_raise(L, "bucket_name_required", "%s: the name is empty", what);
  if (*size > JG_KEY_SIZE_MAX)
    jg_raise(L, "key_too_large", "%s: a name of %I bytes is over the limit of %d", what,
             (LUAI_UACINT)*size, JG_KEY_SIZE_MAX);
  return name;
}

/* ---- handles ------------------------------------------------------------------------------- */

static void release(jg_handle *h) {
  (void)h; /* it owns nothing but its place in the list */
}

/* Pushes the table of open buckets of the parent. */
static void push_table(lua_State *L, int parent_idx) {
  int kind = lua_getiuservalue(L, parent_idx, BUCKETS);
  if (kind == LUA_TTABLE) return;
  lua_newtable(L);
  jg_set_weak(L);
  if (kind == LUA_TUSERDATA) {
    lua_getiuservalue(L, -2, NAME);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
  }
  lua_remove(L, -2);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, parent_idx, BUCKETS);
}

/* Pushes what is held under the name at index 2: a Bucket, or nil. */
static void push_held(lua_State *L, int parent_idx) {
  int kind = lua_getiuservalue(L, parent_idx, BUCKETS);
  if (kind == LUA_TTABLE) {
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    lua_remove(L, -2);
  } else if (kind == LUA_TUSERDATA) {
    lua_getiuservalue(L, -1, NAME);
    bool is_same = lua_rawequal(L, -1, 2);
    lua_pop(L, is_same ? 1 : 2);
    if (!is_same) lua_pushnil(L);
  }
}

/* Holds the Bucket on top of the stack under the name at index 2. */
static void hold(lua_State *L, int parent_idx) {
  if (lua_getiuservalue(L, parent_idx, BUCKETS) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, parent_idx, BUCKETS);
    return;
  }
  lua_pop(L, 1);
  push_table(L, parent_idx);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

/* Pushes the open Bucket of the name at index 2, if there is one. */
static jg_bucket *push_open(lua_State *L, int parent_idx) {
  push_held(L, parent_idx);
  jg_bucket *b = lua_touserdata(L, -1);
  if (b != NULL && b->h.open && b->structure != b->tx->structure) look_from_top(L, b);
  if (b != NULL && b->h.open) return b;
  lua_pop(L, 1);
  return NULL;
}

/* Pushes a Bucket not yet open. All that may run Lua code is done here. */
static jg_bucket *push_new(lua_State *L, int parent_idx) {
  jg_bucket *b = lua_newuserdatauv(L, sizeof *b, 3);
  memset(b, 0, offsetof(jg_bucket, record)); /* the record is long, and set when it is opened */
  b->record.flags = 0;
  jg_set_class(L, JG_BUCKET);
  lua_pushvalue(L, parent_idx);
  lua_setiuservalue(L, -2, PARENT);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, NAME);
  hold(L, parent_idx);
  return b;
}

static void open_found(jg_bucket *b, jg_tx *tx, jg_bucket *up, const jg_found *found,
                       const char *name, size_t size) {
  b->tx = tx;
  b->up = up;
  b->name = name;
  b->name_size = size;
  b->dbi = found->dbi;
  b->prefixed = found->prefixed;
  jg_put_u64(b->prefix, found->record.id);
  b->has_record = found->has_record;
  jg_copy_record(&b->record, &found->record);
  b->structure = tx->structure;
  jg_link(&b->h, up != NULL ? &up->h : &tx->h, release);
}

void jg_check_parent(lua_State *L, jg_tx *tx, jg_bucket *up) {
  if (up != NULL)
    jg_bucket_check(L, up);
  else
    jg_check_usable(L, tx);
}

int jg_raise_foreign(lua_State *L, const char *what, const char *name) {
  return jg_raise(L, "incompatible", "%s: the database '%s' has LMDB flags that are not supported",
                  what, name);
}

int jg_bucket_lookup(lua_State *L, int parent_idx, jg_tx *tx, jg_bucket *up) {
  size_t size;
  jg_found found;
  luaL_checktype(L, 2, LUA_TSTRING);
  const char *name = lua_tolstring(L, 2, &size);
  if (size == 0 || size > JG_KEY_SIZE_MAX) {
    lua_pushnil(L);
    return 1;
  }
  if (push_open(L, parent_idx) != NULL) return 1;
  jg_check_parent(L, tx, up);
  int rc = jg_find(tx, up, name, size, &found); /* most misses allocate nothing */
  if (rc != 0) jg_raise_rc(L, rc, "bucket");
  if (found.kind == JG_IS_FOREIGN) jg_raise_foreign(L, "bucket", name);
  if (found.kind != JG_IS_BUCKET) {
    lua_pushnil(L);
    return 1;
  }
  unsigned writes = tx->writes, structure = tx->structure;
  jg_bucket *b = push_new(L, parent_idx);
  jg_check_parent(L, tx, up);
  if (tx->writes != writes || tx->structure != structure) /* a finalizer may have changed it */
    rc = jg_find(tx, up, name, size, &found);
  if (rc != 0) jg_raise_rc(L, rc, "bucket");
  if (found.kind != JG_IS_BUCKET) jg_raise(L, "bucket_closed", "the bucket '%s' is gone", name);
  open_found(b, tx, up, &found, name, size);
  return 1;
}

static int raise_create(lua_State *L, jg_tx *tx, int rc, const char *what) {
  if (rc == MDB_DBS_FULL)
    return jg_raise(L, "trees_full",
                    "%s: all %d trees are taken: open the file with a larger trees_max, or make "
                    "the bucket with {tree=false}",
                    what, (int)tx->db->trees_max);
  return jg_raise_rc(L, rc, what);
}

static void read_create_options(lua_State *L, bool top, jg_record *record, bool *asks_integer) {
  static const char *const known[] = {"keys", "tree", NULL};
  static const char *const keys[] = {"string", "integer", NULL};
  jg_options_known(L, 3, known);
  *asks_integer = jg_option_choice(L, 3, "keys", keys) == 1;
  *record = (jg_record){.kind = jg_option_boolean(L, 3, "tree", top) ? 'T' : 'P',
                        .flags = *asks_integer ? JG_INTEGER_KEYS : 0};
}

int jg_bucket_create(lua_State *L, int parent_idx, jg_tx *tx, jg_bucket *up, bool ensure) {
  const char *what = ensure ? "ensure_bucket" : "create_bucket";
  size_t size;
  jg_found found, made = {.kind = JG_IS_BUCKET};
  bool asks_integer;
  lua_settop(L, 3);
  const char *name = jg_check_name(L, what, &size);
  read_create_options(L, up == NULL, &made.record, &asks_integer);
  jg_bucket *b = push_open(L, parent_idx);
  if (b == NULL) b = push_new(L, parent_idx);
  jg_check_parent(L, tx, up);
  jg_check_writable(L, tx, what);
  if (up != NULL && (up->record.flags & JG_INTEGER_KEYS) != 0)
    jg_raise(L, "incompatible", "%s: '%s' has integer keys, and so no buckets in it", what,
             up->name);
  int rc = jg_find(tx, up, name, size, &found);
  if (rc != 0) raise_create(L, tx, rc, what);
  if (found.kind == JG_IS_FOREIGN) jg_raise_foreign(L, what, name);
  if (found.kind == JG_IS_KEY)
    jg_raise(L, "incompatible", "%s: '%s' is a key with a value", what, name);
  if (found.kind == JG_IS_BUCKET) {
    if (!ensure) jg_raise(L, "bucket_exists", "%s: '%s' exists", what, name);
    if (asks_integer && (found.record.flags & JG_INTEGER_KEYS) == 0)
      jg_raise(L, "incompatible", "%s: '%s' exists and its keys are strings", what, name);
    if (!b->h.open) open_found(b, tx, up, &found, name, size);
    return 1;
  }
  jg_close(&b->h);
  rc = jg_create(tx, up, name, size, &made);
  if (rc != 0) raise_create(L, tx, rc, what);
  open_found(b, tx, up, &made, name, size);
  return 1;
}

/* ---- a moved bucket's handle --------------------------------------------------------------- */

/* Pushes the open Bucket of the name at index 2 or nil, and the tables of open buckets that it
** leaves and joins: all that a move may allocate. */
void jg_bucket_prepare_move(lua_State *L, int parent_idx, int to_idx) {
  if (push_open(L, parent_idx) == NULL) lua_pushnil(L);
  push_table(L, parent_idx);
  push_table(L, to_idx);
}

/* The bucket has moved: so does its handle. Expects the stack that jg_bucket_prepare_move left. */
void jg_bucket_finish_move(lua_State *L, int to_idx, jg_tx *tx, jg_bucket *to,
                           const jg_found *moved) {
  int at = lua_gettop(L) - 2;
  if (lua_isnil(L, at)) return;
  jg_bucket *b = lua_touserdata(L, at);
  b->up = to;
  jg_copy_record(&b->record, &moved->record);
  b->has_record = true;
  jg_relink(&b->h, to != NULL ? &to->h : &tx->h);
  lua_pushvalue(L, to_idx);
  lua_setiuservalue(L, at, PARENT);
  lua_pushvalue(L, 2);
  lua_pushnil(L);
  lua_rawset(L, at + 1);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, at);
  lua_rawset(L, at + 2);
}

/* ---- deleting ------------------------------------------------------------------ */

int jg_bucket_delete(lua_State *L, int parent_idx, jg_tx *tx, jg_bucket *up) {
  size_t size;
  jg_found found;
  lua_settop(L, 2);
  const char *name = jg_check_name(L, "delete_bucket", &size);
  jg_bucket *open = push_open(L, parent_idx);
  jg_check_parent(L, tx, up);
  jg_check_writable(L, tx, "delete_bucket");
  int rc = jg_find(tx, up, name, size, &found);
  if (rc != 0) jg_raise_rc(L, rc, "delete_bucket");
  if (found.kind == JG_IS_ABSENT)
    jg_raise(L, "bucket_not_found", "delete_bucket: there is no bucket '%s'", name);
  if (found.kind == JG_IS_FOREIGN) jg_raise_foreign(L, "delete_bucket", name);
  if (found.kind == JG_IS_KEY)
    jg_raise(L, "incompatible", "delete_bucket: '%s' is a key with a value", name);
  if (open != NULL) jg_close(&open->h);
  rc = jg_delete(tx, up, name, size, &found);
  if (rc != 0) raise_create(L, tx, rc, "delete_bucket");
  return 0;
}

/* ---- methods ------------------------------------------------------------------------------- */

static int bucket_bucket(lua_State *L) {
  jg_bucket *b = jg_self_bucket(L);
  return jg_bucket_lookup(L, 1, b->tx, b);
}

static int bucket_create_bucket(lua_State *L) {
  jg_bucket *b = jg_self_bucket(L);
  return jg_bucket_create(L, 1, b->tx, b, false);
}

static int bucket_ensure_bucket(lua_State *L) {
  jg_bucket *b = jg_self_bucket(L);
  return jg_bucket_create(L, 1, b->tx, b, true);
}

static int bucket_delete_bucket(lua_State *L) {
  jg_bucket *b = jg_self_bucket(L);
  return jg_bucket_delete(L, 1, b->tx, b);
}

static int bucket_buckets(lua_State *L) {
  jg_bucket *b = jg_self_bucket(L);
  return jg_buckets(L, 1, b->tx, b);
}

static int bucket_name(lua_State *L) {
  jg_self(L, JG_BUCKET);
  lua_getiuservalue(L, 1, NAME);
  return 1;
}

static int bucket_tx(lua_State *L) {
  jg_self(L, JG_BUCKET);
  lua_pushvalue(L, 1);
  do {
    lua_getiuservalue(L, -1, PARENT);
    lua_remove(L, -2);
  } while (jg_test_handle(L, -1, JG_TX) == NULL);
  return 1;
}

static int bucket_is_writable(lua_State *L) {
  jg_bucket *b = jg_self(L, JG_BUCKET);
  lua_pushboolean(L, b->tx != NULL && b->tx->writable);
  return 1;
}

static int bucket_release(lua_State *L) {
  jg_bucket *b = jg_self(L, JG_BUCKET);
  jg_close(&b->h);
  return 0;
}

static int bucket_tostring(lua_State *L) {
  jg_bucket *b = jg_self(L, JG_BUCKET);
  lua_getiuservalue(L, 1, NAME);
  lua_pushfstring(L, "jangada.Bucket: %p (%s)", (void *)b,
                  b->h.open ? lua_tostring(L, -1) : "closed");
  return 1;
}

static const luaL_Reg methods[] = {{"bucket", bucket_bucket},
                                   {"create_bucket", bucket_create_bucket},
                                   {"ensure_bucket", bucket_ensure_bucket},
                                   {"delete_bucket", bucket_delete_bucket},
                                   {"buckets", bucket_buckets},
                                   {"name", bucket_name},
                                   {"tx", bucket_tx},
                                   {"is_writable", bucket_is_writable},
                                   {NULL, NULL}};

static const luaL_Reg metamethods[] = {
    {"__gc", bucket_release}, {"__tostring", bucket_tostring}, {NULL, NULL}};

void jg_open_bucket(lua_State *L) {
  jg_class(L, JG_BUCKET, metamethods, methods);
  jg_add_methods(L, JG_BUCKET, jg_access_methods);
  jg_add_methods(L, JG_BUCKET, jg_move_methods);
  jg_add_methods(L, JG_BUCKET, jg_bucket_stats_methods);
}
