/* SPDX-License-Identifier: MIT
**
** record.c - reference records: what a bucket's parent says of it.
**
** A bucket is a pair (tree, prefix). Its parent holds, under the bucket's name, a record:
**
**     magic 16 | kind 1 | flags 1 | id 8 | sequence 8 | name of the tree       big-endian
**
** Keys and nested buckets share one namespace, so a value is a record when it begins with the
** magic and one of the kinds. A user's value that happens to begin with the magic is kept apart
** by an escape: magic | 'L' | the value. All other values are stored as they are, so that any
** LMDB binding reads them.
*/
#include "bucket.h"

#include <string.h>

#define MAGIC_SIZE 16
static const unsigned char magic[MAGIC_SIZE] = {0x8a, 'J',  'a',  'n',  'g',  'a',  'd',  'a',
                                                0x0d, 0x0a, 0x1a, 0x0a, 0xf3, 0x5c, 0xb9, 0x27};

void jg_put_u64(unsigned char into[8], uint64_t n) {
  const unsigned char bytes[8] = {(unsigned char)(n >> 56), (unsigned char)(n >> 48),
                                  (unsigned char)(n >> 40), (unsigned char)(n >> 32),
                                  (unsigned char)(n >> 24), (unsigned char)(n >> 16),
                                  (unsigned char)(n >> 8),  (unsigned char)n};
  memcpy(into, bytes, sizeof bytes);
}

void jg_copy_record(jg_record *to, const jg_record *from) {
  memcpy(to, from, offsetof(jg_record, tree) + strlen(from->tree) + 1);
}

bool jg_value_must_escape(const MDB_val *value) {
  return value->mv_size >= MAGIC_SIZE && memcmp(value->mv_data, magic, MAGIC_SIZE) == 0;
}

void jg_value_escape(const MDB_val *value, char *into) {
  memcpy(into, magic, MAGIC_SIZE);
  into[MAGIC_SIZE] = 'L';
  memcpy(into + MAGIC_SIZE + 1, value->mv_data, value->mv_size);
}

jg_value_kind jg_value_read(const MDB_val *value, jg_record *record) {
  const unsigned char *p = value->mv_data;
  if (value->mv_size <= MAGIC_SIZE || memcmp(p, magic, MAGIC_SIZE) != 0) return JG_RAW;
  p += MAGIC_SIZE;
  if (p[0] == 'L') return JG_LITERAL;
  size_t size = value->mv_size - JG_RECORD_SIZE;
  bool is_tree = p[0] == 'T';
  if ((!is_tree && p[0] != 'P') || value->mv_size < JG_RECORD_SIZE || size > JG_TREE_NAME_MAX ||
      is_tree != (size > 0))
    return JG_DAMAGED;
  record->kind = (char)p[0];
  record->flags = p[1];
  record->id = jg_get_u64(p + 2);
  record->sequence = jg_get_u64(p + 10);
  memcpy(record->tree, p + 18, size);
  record->tree[size] = '\0';
  if (strlen(record->tree) != size || strcmp(record->tree, JG_ROOT_TREE) == 0) return JG_DAMAGED;
  return JG_RECORD;
}

size_t jg_record_write(const jg_record *record, unsigned char into[JG_RECORD_SIZE_MAX]) {
  size_t size = strlen(record->tree);
  memcpy(into, magic, MAGIC_SIZE);
  into[MAGIC_SIZE] = (unsigned char)record->kind;
  into[MAGIC_SIZE + 1] = record->flags;
  jg_put_u64(into + MAGIC_SIZE + 2, record->id);
  jg_put_u64(into + MAGIC_SIZE + 10, record->sequence);
  memcpy(into + JG_RECORD_SIZE, record->tree, size);
  return JG_RECORD_SIZE + size;
}
