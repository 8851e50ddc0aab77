/* SPDX-License-Identifier: MIT
**
** walk.c - visits a bucket and all buckets in it.
**
** The buckets still to visit stand in a list of their own: they may nest deeper than C's stack.
*/
#include "bucket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct found_list {
  jg_found *items;
  size_t count, capacity;
} found_list;

static int push(found_list *list, const jg_found *found) {
  jg_found *items = jg_grow(list->items, &list->capacity, list->count, sizeof *items);
  if (items == NULL) return ENOMEM;
  list->items = items;
  list->items[list->count++] = *found;
  return 0;
}

/* The bucket under a record joins the list; a record whose tree is not there leads nowhere. */
static int push_child(jg_tx *tx, found_list *list, const MDB_val *value) {
  jg_found child = {.kind = JG_IS_ABSENT};
  if (jg_value_read(value, &child.record) != JG_RECORD) return 0;
  int rc = jg_follow(tx, &child);
  return rc == 0 && child.kind == JG_IS_BUCKET ? push(list, &child) : rc;
}

static int walk_items(jg_tx *tx, found_list *list, const jg_found *bucket,
                      const jg_visitor *visitor, void *context) {
  bool has_children = (bucket->record.flags & JG_HAS_CHILDREN) != 0;
  MDB_cursor *cursor;
  MDB_val key = {0, NULL}, value;
  jg_key first;
  int rc = mdb_cursor_open(tx->txn, bucket->dbi, &cursor);
  if (rc != 0) return rc;
  jg_set_key(&first, bucket->record.id, "", 0);
  if (bucket->prefixed) key = first.val;
  rc = mdb_cursor_get(cursor, &key, &value, bucket->prefixed ? MDB_SET_RANGE : MDB_FIRST);
  while (rc == 0) {
    if (bucket->prefixed &&
        (key.mv_size < JG_PREFIX_SIZE || memcmp(key.mv_data, first.bytes, JG_PREFIX_SIZE) != 0))
      break;
    if (has_children) rc = push_child(tx, list, &value);
    if (rc == 0) rc = visitor->item(context, bucket, cursor);
    if (rc == 0) rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
  }
  mdb_cursor_close(cursor);
  return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Calls item for each item of the buckets that must be walked, and bucket for each when its items
** are done. Stops at the first that does not return 0, and returns that. */
int jg_walk(jg_tx *tx, const jg_found *top, const jg_visitor *visitor, void *context) {
  found_list list = {0};
  int rc = push(&list, top);
  while (rc == 0 && list.count > 0) {
    jg_found bucket = list.items[--list.count];
    if (visitor->must_walk(&bucket)) rc = walk_items(tx, &list, &bucket, visitor, context);
    if (rc == 0) rc = visitor->bucket(context, tx, &bucket);
  }
  free(list.items);
  return rc;
}

int jg_count_prefix(jg_tx *tx, MDB_dbi dbi, const unsigned char prefix[JG_PREFIX_SIZE],
                    uint64_t *count) {
  MDB_cursor *cursor;
  MDB_val key = {JG_PREFIX_SIZE, (void *)prefix}, value;
  int rc = mdb_cursor_open(tx->txn, dbi, &cursor);
  if (rc != 0) return rc;
  rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
  while (rc == 0 && key.mv_size >= JG_PREFIX_SIZE &&
         memcmp(key.mv_data, prefix, JG_PREFIX_SIZE) == 0) {
    ++*count;
    rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
  }
  mdb_cursor_close(cursor);
  return rc == MDB_NOTFOUND ? 0 : rc;
}
