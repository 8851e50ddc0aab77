/* SPDX-License-Identifier: MIT
**
** check_items.c - gathers what the buckets are made of, while the trees are walked: the named
** trees, the records of buckets, the prefixes of the root tree, the store's own fields.
**
** A value that looks like a record need not be one: in a bucket of integer keys all values are the
** user's. Which buckets are of that kind is known only when all records are; so records are only
** gathered here, and check_buckets.c judges.
*/
#include "bucket.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

/* ---- named trees --------------------------------------------------------------------------- */

check_tree *jg_check_tree(jg_check *c, uint32_t number) {
  return &c->trees[number - JG_NAMED_TREES];
}

static bool keep_name(jg_check *c, jg_bytes name, size_t *at) {
  while (c->names == NULL || c->names_capacity - c->names_size < name.size) {
    unsigned char *names = jg_check_grow(c, c->names, &c->names_capacity, c->names_capacity, 1);
    if (names == NULL) return false;
    c->names = names;
  }
  if (name.size > 0) memcpy(c->names + c->names_size, name.bytes, name.size);
  *at = c->names_size;
  c->names_size += name.size;
  return true;
}

/* A tree of the main database, whose walk is going on. */
void jg_found_tree(jg_check *c, uint64_t page, jg_bytes name, const unsigned char *head) {
  check_tree *t = jg_check_grow(c, c->trees, &c->tree_capacity, c->tree_count, sizeof *t);
  if (t == NULL) return;
  c->trees = t;
  t += c->tree_count;
  *t = (check_tree){.page = page, .name_size = name.size};
  jg_tree_head_parse(&t->head, head);
  if (!keep_name(c, name, &t->name_at)) return;
  c->tree_count++;
  if (memchr(name.bytes, 0, name.size) != NULL) {
    char text[JG_LABEL_SIZE];
    jg_report(c, JG_BAD_TREE, page, "a tree is named '%s': LMDB cannot open names with a NUL",
              jg_printable(name.bytes, name.size, text));
  }
}

static int by_name(const void *a, const void *b) {
  const check_tree *t = a, *u = b;
  size_t common = t->name_size < u->name_size ? t->name_size : u->name_size;
  int order = common == 0 ? 0 : memcmp(t->name, u->name, common);
  return order != 0 ? order : (t->name_size > u->name_size) - (t->name_size < u->name_size);
}

/* The number of a tree; NO_TREE: there is none of that name. */
static uint32_t tree_named(const jg_check *c, const void *name, size_t size) {
  check_tree wanted = {.name = name, .name_size = size};
  if (c->tree_count == 0) return NO_TREE;
  const check_tree *t = bsearch(&wanted, c->trees, c->tree_count, sizeof *t, by_name);
  return t == NULL ? NO_TREE : JG_NAMED_TREES + (uint32_t)(t - c->trees);
}

/* The main database has been walked: from now on the trees have their numbers. */
void jg_trees_found(jg_check *c) {
  for (size_t i = 0; i < c->tree_count; i++)
    c->trees[i].name = c->names + c->trees[i].name_at;
  if (c->tree_count > 1) qsort(c->trees, c->tree_count, sizeof *c->trees, by_name);
  c->root_tree = tree_named(c, JG_ROOT_TREE, sizeof JG_ROOT_TREE - 1);
}

/* ---- records ------------------------------------------------------------------------------- */

/* Keeps a value that is a record, or a damaged one; false for others. The record is the caller's,
** for the name of its tree. */
static bool gather_record(jg_check *c, check_record found, const jg_value *value,
                          jg_record *record) {
  MDB_val val = {value->size, (void *)value->head.bytes}; /* its head holds all of a record */
  jg_value_kind kind = jg_value_read(&val, record);
  if (kind != JG_RECORD && kind != JG_DAMAGED) return false;
  size_t size = kind == JG_RECORD ? strlen(record->tree) : 0;
  found.damaged = kind == JG_DAMAGED || size != value->size - JG_RECORD_SIZE;
  found.tree = NO_TREE;
  if (found.damaged) {
    record->kind = 0;
  } else {
    found.id = record->id;
    found.kind = record->kind;
    found.flags = record->flags;
    if (found.kind == 'T') found.tree = tree_named(c, record->tree, size);
  }
  check_record *r = jg_check_grow(c, c->records, &c->record_capacity, c->record_count, sizeof *r);
  if (r == NULL) return true;
  c->records = r;
  c->records[c->record_count++] = found;
  return true;
}

static bool is_integer_key(jg_bytes key, size_t prefix) {
  return key.size == prefix + 8 && key.bytes[prefix] < 0x80;
}

/* ---- the root tree ------------------------------------------------------------------------- */

static void check_mark(jg_check *c, uint64_t page, jg_bytes name, const jg_value *value) {
  char text[JG_LABEL_SIZE];
  uint32_t tree = tree_named(c, name.bytes, name.size);
  char why = value->size == 1 ? (char)value->head.bytes[0] : 0;
  jg_printable(name.bytes, name.size, text);
  if (why != JG_DEAD && why != JG_MOVED)
    jg_report(c, JG_BAD_MARK, page, "tree '%s' is marked as neither deleted nor moved", text);
  else if (tree != NO_TREE && why == JG_MOVED && jg_check_tree(c, tree)->at_home)
    jg_report(c, JG_BAD_MARK, page, "tree '%s' is marked as moved, but is where its name says",
              text);
  else if (tree != NO_TREE)
    jg_check_tree(c, tree)->mark = why;
  else if (c->main_whole)
    jg_report(c, JG_BAD_MARK, page, "tree '%s' is marked, but does not exist", text);
}

static bool is_named(jg_bytes name, const char *wanted) {
  return name.size == strlen(wanted) && memcmp(name.bytes, wanted, name.size) == 0;
}

/* A field of the store itself. Unknown ones are let pass: a newer version may have them. */
static void check_field(jg_check *c, uint64_t page, jg_bytes name, const jg_value *value) {
  if (name.bytes[0] == JG_HIDDEN_MARK) {
    check_mark(c, page, (jg_bytes){name.bytes + 1, name.size - 1}, value);
  } else if (is_named(name, "format")) {
    if (value->size != 1 || value->head.bytes[0] != '1')
      jg_report(c, JG_BAD_FIELD, page, "the version of the store's format is unknown");
  } else if (is_named(name, "next_id")) {
    if (value->size == 8) c->next_id = jg_get_u64(value->head.bytes);
    if (c->next_id == 0)
      jg_report(c, JG_BAD_FIELD, page, "the id of the next bucket is no number, or 0");
  }
}

static check_prefix *find_prefix(jg_check *c, uint64_t id, uint64_t page) {
  if (c->prefix_count > 0 && c->prefixes[c->prefix_count - 1].id == id)
    return &c->prefixes[c->prefix_count - 1];
  check_prefix *p = jg_check_grow(c, c->prefixes, &c->prefix_capacity, c->prefix_count, sizeof *p);
  if (p == NULL) return NULL;
  c->prefixes = p;
  p += c->prefix_count++;
  *p = (check_prefix){.id = id, .page = page};
  return p;
}

/* A bucket at the top level whose name is also that of a tree: has it that one, or another? */
static void note_namesake(jg_check *c, jg_bytes name, const jg_record *record) {
  uint32_t tree = tree_named(c, name.bytes, name.size);
  if (tree == NO_TREE) return;
  bool is_its_own = record->kind == 'T' && is_named(name, record->tree);
  if (is_its_own)
    jg_check_tree(c, tree)->at_home = true;
  else
    jg_check_tree(c, tree)->shadowed = true;
}

static void found_root_item(jg_check *c, uint64_t page, jg_bytes key, const jg_value *value) {
  jg_record record;
  if (key.size <= JG_PREFIX_SIZE) {
    jg_report(c, JG_BAD_KEY, page, "page %llu: a key of the root tree is no more than a prefix",
              ull(page));
    return;
  }
  uint64_t id = jg_get_u64(key.bytes);
  jg_bytes name = {key.bytes + JG_PREFIX_SIZE, key.size - JG_PREFIX_SIZE};
  if (id == JG_SYSTEM_ID) {
    check_field(c, page, name, value);
    return;
  }
  check_prefix *p = find_prefix(c, id, page);
  if (p == NULL) return;
  p->items++;
  if (!p->has_bad_key && !is_integer_key(key, JG_PREFIX_SIZE)) {
    p->has_bad_key = true;
    p->bad_key_page = page;
  }
  bool is_record = gather_record(c, (check_record){.parent = id, .page = page}, value, &record);
  if (id != JG_ROOT_ID) return;
  if (is_record) {
    if (record.kind != 0) note_namesake(c, name, &record);
  } else {
    char text[JG_LABEL_SIZE];
    jg_report(c, JG_BAD_RECORD, page, "'%s' at the top level is no bucket",
              jg_printable(name.bytes, name.size, text));
  }
}

/* ---- items of any named tree --------------------------------------------------------------- */

void jg_found_item(jg_check *c, uint32_t tree, uint64_t page, jg_bytes key, const jg_value *value) {
  check_tree *t = jg_check_tree(c, tree);
  jg_record record;
  if (c->root_tree == NO_TREE || (t->head.flags & JG_TREE_FLAGS) != 0) return; /* not our making */
  if (tree == c->root_tree) {
    found_root_item(c, page, key, value);
    return;
  }
  if (!t->has_bad_key && !is_integer_key(key, 0)) {
    t->has_bad_key = true;
    t->bad_key_page = page;
  }
  gather_record(c, (check_record){.parent = tree, .parent_is_tree = true, .page = page}, value,
                &record);
}
