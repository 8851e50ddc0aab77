/* SPDX-License-Identifier: MIT
**
** bucket.h - buckets: what is stored of them (record.c), where they are (catalog.c, walk.c), and
** what Lua has of them (bucket.c, access.c, cursor.c).
*/
#ifndef JANGADA_BUCKET_H
#define JANGADA_BUCKET_H

#include "jangada.h"

/* ---- record.c: what a bucket's parent says of it ----------------------------------------- */

#define JG_ROOT_TREE "\1jangada"
#define JG_RECORD_SIZE 34 /* and the name of its tree behind it */
#define JG_RECORD_SIZE_MAX (JG_RECORD_SIZE + JG_TREE_NAME_MAX)
#define JG_ESCAPE_SIZE 17    /* magic and kind before a literal value */
#define JG_TREE_NAME_MAX 502 /* so that the mark of a hidden tree fits into a key */
enum { JG_INTEGER_KEYS = 1, JG_HAS_CHILDREN = 2 }; /* flags of a record */

typedef struct jg_record {
  char kind; /* 'P': a prefix in the root tree; 'T': a tree */
  uint8_t flags;
  uint64_t id, sequence;
  char tree[JG_TREE_NAME_MAX + 1]; /* its name in LMDB's main database */
} jg_record;

typedef enum { JG_RAW, JG_LITERAL, JG_RECORD, JG_DAMAGED } jg_value_kind;

jg_value_kind jg_value_read(const MDB_val *value, jg_record *record);
bool jg_value_must_escape(const MDB_val *value);
void jg_value_escape(const MDB_val *value, char *into); /* into: 17 bytes more */
size_t jg_record_write(const jg_record *record, unsigned char into[JG_RECORD_SIZE_MAX]);
void jg_copy_record(jg_record *to, const jg_record *from); /* as far as it is used */
void jg_put_u64(unsigned char into[8], uint64_t n);
static inline uint64_t jg_get_u64(const unsigned char from[8]) {
  return (uint64_t)from[0] << 56 | (uint64_t)from[1] << 48 | (uint64_t)from[2] << 40 |
         (uint64_t)from[3] << 32 | (uint64_t)from[4] << 24 | (uint64_t)from[5] << 16 |
         (uint64_t)from[6] << 8 | (uint64_t)from[7];
}

/* ---- bucket.c, buckets.c, access.c, append.c ------------------------------------------------ */

typedef struct jg_bucket {
  jg_handle h; /* parent: the transaction, or the bucket it is in */
  jg_tx *tx;
  struct jg_bucket *up; /* NULL: a top-level bucket */
  MDB_dbi dbi;
  bool prefixed; /* its keys begin with `prefix` */
  unsigned char prefix[JG_PREFIX_SIZE];
  bool has_record;         /* a tree made by another program has none */
  unsigned structure;      /* tx->structure when last looked up */
  struct jg_bucket *below; /* scratch of look_from_top */
  const char *name;        /* a Lua string, anchored in a user value */
  size_t name_size;
  jg_record record; /* the last: it is long, and not all of it is used */
} jg_bucket;

typedef struct jg_key { /* a key as LMDB sees it */
  MDB_val val;
  unsigned char bytes[JG_LMDB_KEY_SIZE_MAX];
} jg_key;

/* ---- catalog.c, delete.c: below Lua; they return what LMDB does --------------------------- */

enum { JG_DEAD = 'd', JG_MOVED = 'm' };

typedef struct jg_found { /* what stands under a name */
  enum { JG_IS_ABSENT, JG_IS_KEY, JG_IS_BUCKET, JG_IS_FOREIGN } kind;
  MDB_dbi dbi;
  bool prefixed, has_record;
  jg_record record;
} jg_found;

#define JG_MAIN_DBI 1           /* LMDB's number of the main database */
#define JG_ROOT_ID 0            /* the prefix of the top level in the root tree */
#define JG_SYSTEM_ID UINT64_MAX /* and that of the store's own fields */
#define JG_HIDDEN_MARK 'x'      /* before the names of trees that are no top-level buckets */

int jg_find(jg_tx *tx, const jg_bucket *up, const char *name, size_t size, jg_found *found);
int jg_create(jg_tx *tx, jg_bucket *up, const char *name, size_t size, jg_found *made);
int jg_delete(jg_tx *tx, const jg_bucket *up, const char *name, size_t size, jg_found *found);
int jg_write_record(jg_bucket *b);
int jg_move(jg_tx *tx, const jg_bucket *from, jg_bucket *to, const char *name, size_t size,
            jg_found *found);
int jg_next_name(jg_tx *tx, const jg_bucket *up, const char *after, size_t size, jg_key *next);
int jg_read_field(jg_db *db, const char *name, void *into, size_t *size);
int jg_find_root(jg_tx *tx, MDB_dbi *root);   /* MDB_NOTFOUND in a file that we never wrote to */
int jg_ensure_root(jg_tx *tx, MDB_dbi *root); /* makes it then */
int jg_follow(jg_tx *tx, jg_found *found); /* from found->record; absent if its tree is not there */
void jg_set_key(jg_key *key, uint64_t prefix, const void *bytes, size_t size);
void jg_child_key(jg_key *key, const jg_bucket *up, const char *name, size_t size);
void jg_hidden_key(jg_key *key, const char *tree_name);
int jg_hide(jg_tx *tx, const char *tree_name, char why); /* JG_DEAD or JG_MOVED */
int jg_purge(jg_db *db);
int jg_purge_in(jg_tx *tx, unsigned *purged);
int jg_tree_purge(jg_tx *tx, const char *name);

jg_bucket *jg_check_bucket(lua_State *L, int idx);
jg_bucket *jg_self_bucket(lua_State *L);          /* only in a method of Bucket */
void jg_bucket_check(lua_State *L, jg_bucket *b); /* raises unless it and its tx are usable */
void jg_check_key(lua_State *L, int idx, const jg_bucket *b, const char *what, jg_key *key);
void jg_check_bound(lua_State *L, int idx, const jg_bucket *b, const char *what, jg_key *key);
int jg_compare(const MDB_val *a, const MDB_val *b); /* as LMDB orders keys */
void jg_copy_key(jg_key *to, const jg_key *from);
void jg_push_key(lua_State *L, const jg_bucket *b, const MDB_val *key);
bool jg_push_value(lua_State *L, const jg_bucket *b, const MDB_val *value); /* false: a bucket */
void jg_check_value(lua_State *L, int idx, const char *what, MDB_val *value);
bool jg_value_escapes(const jg_bucket *b, const MDB_val *value); /* as stored in that bucket */
int jg_append(lua_State *L);
void jg_prefix_end(const unsigned char *prefix, unsigned char end[JG_LMDB_KEY_SIZE_MAX],
                   MDB_val *key);
bool jg_in_bucket(const jg_bucket *b, const MDB_val *key);
const char *jg_check_name(lua_State *L, const char *what, size_t *size); /* at index 2 */
int jg_bucket_move(lua_State *L, int parent_idx, jg_tx *tx, jg_bucket *up);
void jg_bucket_prepare_move(lua_State *L, int parent_idx, int to_idx);
void jg_bucket_finish_move(lua_State *L, int to_idx, jg_tx *tx, jg_bucket *to,
                           const jg_found *moved);
int jg_bucket_lookup(lua_State *L, int parent_idx, jg_tx *tx, jg_bucket *up);
int jg_bucket_create(lua_State *L, int parent_idx, jg_tx *tx, jg_bucket *up, bool ensure);
int jg_bucket_delete(lua_State *L, int parent_idx, jg_tx *tx, jg_bucket *up);
void jg_check_parent(lua_State *L, jg_tx *tx, jg_bucket *up); /* usable, both? */
int jg_raise_foreign(lua_State *L, const char *what, const char *name);
int jg_buckets(lua_State *L, int parent_idx, jg_tx *tx, jg_bucket *up);
void jg_open_bucket(lua_State *L);
extern const luaL_Reg jg_access_methods[], jg_move_methods[], jg_bucket_stats_methods[];

/* ---- walk.c ------------------------------------------------------------------------------- */

typedef struct jg_visitor {
  bool (*must_walk)(const jg_found *bucket); /* else its items are passed over */
  int (*item)(void *context, const jg_found *bucket, MDB_cursor *cursor);
  int (*bucket)(void *context, jg_tx *tx, const jg_found *bucket);
} jg_visitor;

int jg_walk(jg_tx *tx, const jg_found *top, const jg_visitor *visitor, void *context);
int jg_count_prefix(jg_tx *tx, MDB_dbi dbi, const unsigned char prefix[JG_PREFIX_SIZE],
                    uint64_t *count);

/* ---- cursor.c, each.c --------------------------------------------------------------------- */

typedef enum { JG_UNSET, JG_ON, JG_PAST, JG_DELETED } jg_position;

typedef struct jg_cursor {
  jg_handle h; /* parent: the transaction */
  jg_bucket *bucket;
  MDB_cursor *cur; /* opened when needed; never older than the open savepoint */
  jg_position position;
  bool synced;     /* cur stands on `key` */
  unsigned writes; /* tx->writes when cur was last placed */
  /* an iteration (each.c) */
  bool reverse, started, has_start, start_excluded, has_stop;
  lua_Integer left;   /* items it may still give; -1: no limit */
  size_t prefix_size; /* 0: no prefix */
  jg_key key;         /* where it is, or was when its item was deleted */
  jg_key start, stop, prefix; /* the last: only one for an iteration has room for them */
} jg_cursor;

jg_cursor *jg_cursor_new(lua_State *L, int bucket_idx);
jg_cursor *jg_cursor_new_bounded(lua_State *L, int bucket_idx); /* for an iteration */
int jg_cursor_move(jg_cursor *c, MDB_cursor_op op, MDB_val *key, MDB_val *value);
int jg_cursor_seek(jg_cursor *c, const MDB_val *to, MDB_val *key, MDB_val *value);
int jg_cursor_push(lua_State *L, jg_cursor *c, int rc, const MDB_val *value, const char *what);
int jg_each(lua_State *L);
int jg_bucket_cursor(lua_State *L);
void jg_cursor_drop(jg_cursor *c); /* closes what LMDB knows of it */
void jg_cursor_release(jg_handle *h);
void jg_open_cursor(lua_State *L);

#endif
