/* SPDX-License-Identifier: MIT
**
** move.c - what changes a bucket's record alone: its sequence, and where it stands.
**
** A bucket's items are reached through its record, so moving one takes two records, whatever is
** in it. A tree cannot be renamed in LMDB: it keeps its name in the main database, and is marked
** as moved there, so that it is no top-level bucket of that name any more.
*/
#include "bucket.h"

#include <string.h>

/* ---- sequences (Bolt 66 to 72) ------------------------------------------------------------- */

static int bucket_sequence(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)jg_self_bucket(L)->record.sequence);
  return 1;
}

static void set_sequence(lua_State *L, jg_bucket *b, uint64_t sequence, const char *what) {
  uint64_t before = b->record.sequence;
  b->record.sequence = sequence;
  b->tx->writes++;
  int rc = jg_write_record(b);
  if (rc != 0) {
    b->record.sequence = before;
    jg_raise_rc(L, rc, what);
  }
}

static int bucket_set_sequence(lua_State *L) {
  jg_bucket *b = jg_self_bucket(L);
  luaL_argcheck(L, lua_isinteger(L, 2), 2, "a sequence is an integer");
  lua_Integer n = lua_tointeger(L, 2);
  jg_check_writable(L, b->tx, "set_sequence");
  luaL_argcheck(L, n >= 0, 2, "a sequence is not negative");
  set_sequence(L, b, (uint64_t)n, "set_sequence");
  return 0;
}

static int bucket_next_sequence(lua_State *L) {
  jg_bucket *b = jg_self_bucket(L);
  jg_check_writable(L, b->tx, "next_sequence");
  if (b->record.sequence >= INT64_MAX)
    jg_raise(L, "sequence_overflow", "next_sequence: the sequence of '%s' is at its end", b->name);
  set_sequence(L, b, b->record.sequence + 1, "next_sequence");
  lua_pushinteger(L, (lua_Integer)b->record.sequence);
  return 1;
}

/* ---- moving (Bolt 45 to 51) ---------------------------------------------------------------- */

/* The destination at index 3: a bucket, or a Tx for the top level (*up is NULL then). */
static jg_tx *check_destination(lua_State *L, jg_bucket **up) {
  jg_tx *tx = jg_test_handle(L, 3, JG_TX);
  *up = NULL;
  if (tx != NULL) {
    jg_check_usable(L, tx);
    return tx;
  }
  if (jg_test_handle(L, 3, JG_BUCKET) == NULL) luaL_typeerror(L, 3, "Bucket or Tx");
  *up = jg_check_bucket(L, 3);
  return (*up)->tx;
}

/* Is the destination the bucket that moves, or in it? */
static bool is_within(const jg_bucket *destination, const jg_found *moved) {
  for (; destination != NULL; destination = destination->up)
    if (destination->dbi == moved->dbi && destination->prefixed == moved->prefixed &&
        (!moved->prefixed || destination->record.id == moved->record.id))
      return true;
  return false;
}

static void check_source(lua_State *L, jg_tx *tx, jg_bucket *up, const char *name, size_t size,
                         jg_found *found) {
  int rc = jg_find(tx, up, name, size, found);
  if (rc != 0) jg_raise_rc(L, rc, "move_bucket");
  if (found->kind == JG_IS_ABSENT)
    jg_raise(L, "bucket_not_found", "move_bucket: there is no bucket '%s'", name);
  if (found->kind != JG_IS_BUCKET)
    jg_raise(L, "incompatible", "move_bucket: '%s' is no bucket that can be moved", name);
}

static void check_target(lua_State *L, jg_tx *tx, jg_bucket *to, const char *name, size_t size) {
  jg_found found;
  if (to != NULL && (to->record.flags & JG_INTEGER_KEYS) != 0)
    jg_raise(L, "incompatible", "move_bucket: '%s' has integer keys, and so no buckets in it",
             to->name);
  int rc = jg_find(tx, to, name, size, &found);
  if (rc != 0) jg_raise_rc(L, rc, "move_bucket");
  if (found.kind == JG_IS_BUCKET)
    jg_raise(L, "bucket_exists", "move_bucket: there is a bucket '%s' at the destination", name);
  if (found.kind != JG_IS_ABSENT)
    jg_raise(L, "incompatible", "move_bucket: '%s' is taken at the destination", name);
}

/* move_bucket(name, destination); the checks in Bolt's order (50). */
int jg_bucket_move(lua_State *L, int parent_idx, jg_tx *tx, jg_bucket *up) {
  jg_bucket *to;
  jg_found found;
  lua_settop(L, 3);
  jg_tx *to_tx = check_destination(L, &to);
  jg_check_writable(L, tx, "move_bucket");
  jg_check_writable(L, to_tx, "move_bucket");
  if (tx != to_tx)
    jg_raise(L, "different_tx", "move_bucket: the destination is of another transaction");
  size_t size;
  const char *name = jg_check_name(L, "move_bucket", &size);
  jg_bucket_prepare_move(L, parent_idx, 3);
  jg_check_usable(L, tx); /* the allocations may have run finalizers */
  if (up != NULL) jg_bucket_check(L, up);
  if (to != NULL) jg_bucket_check(L, to);
  check_source(L, tx, up, name, size, &found);
  if (to == up) jg_raise(L, "same_bucket", "move_bucket: '%s' is there already", name);
  if (is_within(to, &found))
    jg_raise(L, "bucket_cycle", "move_bucket: '%s' cannot be moved into itself", name);
  check_target(L, tx, to, name, size);
  int rc = jg_move(tx, up, to, name, size, &found);
  if (rc != 0) jg_raise_rc(L, rc, "move_bucket");
  jg_bucket_finish_move(L, 3, tx, to, &found);
  return 0;
}

static int bucket_move_bucket(lua_State *L) {
  jg_bucket *b = jg_self_bucket(L);
  return jg_bucket_move(L, 1, b->tx, b);
}

const luaL_Reg jg_move_methods[] = {{"sequence", bucket_sequence},
                                    {"set_sequence", bucket_set_sequence},
                                    {"next_sequence", bucket_next_sequence},
                                    {"move_bucket", bucket_move_bucket},
                                    {NULL, NULL}};
