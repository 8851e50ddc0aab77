/* SPDX-License-Identifier: MIT
**
** check.h - what the files of the check share; others include pages.h.
**
** One walk, in this order:
**
**     metas           check.c          which snapshot to walk
**     free list       check_free.c     its pages are claimed as free
**     main database   check_tree.c     finds the named trees
**     named trees     check_tree.c     hands each item to
**     buckets         check_items.c    which gathers records, prefixes, marks, and, when all is
**                     check_buckets.c  read, asks whether they agree
**     what is left    check.c          pages that nobody claimed
**
** Each page is claimed by who uses it, once: whoever comes second reports it and does not follow.
** So every walk ends, whatever the bytes are, after work proportional to the size of the file.
** Memory: a byte for each page, a page for each level of a tree, and what the buckets need: some
** 60 bytes for each record, prefix and tree.
*/
#ifndef JANGADA_CHECK_H
#define JANGADA_CHECK_H

#include "pages.h"

typedef struct jg_value { /* of an item: its first bytes, or all */
  jg_bytes head;
  uint64_t size;
  uint64_t at; /* where in the file the whole lies, when it is in overflow pages; else 0 */
} jg_value;

typedef struct check_tree {  /* a named tree */
  const unsigned char *name; /* in jg_check.names, once all are known */
  size_t name_at, name_size;
  jg_tree_head head;
  uint64_t page;    /* where its head was found */
  bool referenced;  /* by the record of a bucket that can be reached */
  bool shadowed;    /* a top-level bucket of its name has another tree */
  bool at_home;     /* the top-level bucket of its name has this one */
  char mark;        /* of a hidden tree; 0: none */
  bool has_bad_key; /* a key that is no integer, on bad_key_page */
  uint64_t bad_key_page;
} check_tree;

#define NO_TREE UINT32_MAX

typedef struct check_record { /* of a bucket, in its parent's keyspace */
  uint64_t parent;            /* id of the prefix, or number of the tree, that holds it */
  uint64_t id, page;
  uint32_t tree; /* the number of the one it names; NO_TREE: none of that name */
  bool parent_is_tree, damaged, reached;
  char kind;
  uint8_t flags;
} check_record;

typedef struct check_prefix { /* the items of the root tree that begin with one id */
  uint64_t id, page, items;
  bool has_bad_key;
  uint64_t bad_key_page;
} check_prefix;

struct jg_check {
  jg_source source;
  jg_check_settings settings;
  int failure; /* why to stop: 0, an errno or JG_CHECK_... */

  jg_meta meta;        /* of the snapshot */
  uint64_t page_count; /* that the snapshot has and the file too */
  uint8_t *uses;       /* jg_use of each page */
  uint32_t *owners;    /* with settings.map: the tree that uses it */
  uint64_t claimed, free_past_end;
  unsigned char *frames[2 * JG_DEPTH_MAX + 1]; /* a page for each level, made when needed */
  bool whole;                                  /* nothing was left unwalked so far */

  jg_finding *findings;
  size_t finding_count, finding_capacity;
  uint64_t more;

  unsigned char *names; /* of trees, one after the other */
  size_t names_size, names_capacity;
  check_tree *trees; /* by name, once all are known; its number is JG_NAMED_TREES + index */
  size_t tree_count, tree_capacity;
  check_record *records;
  size_t record_count, record_capacity;
  check_prefix *prefixes;
  size_t prefix_count, prefix_capacity;
  bool main_whole;    /* all of the main database could be walked */
  bool trees_whole;   /* and all of the named trees */
  uint32_t root_tree; /* the number of the one that holds the catalog; NO_TREE: none */
  uint64_t next_id;   /* 0: not found */
};

static inline unsigned long long ull(uint64_t n) { /* for printf */
  return n;
}

/* check.c */
void jg_report(jg_check *c, jg_finding_code code, uint64_t page, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool jg_claim(jg_check *c, uint64_t page, jg_use use, uint32_t tree, uint64_t from);
void *jg_check_grow(jg_check *c, void *array, size_t *capacity, size_t count, size_t item_size);

#define JG_LABEL_SIZE 96
const char *jg_label(const jg_check *c, uint32_t tree, char into[JG_LABEL_SIZE]);
const char *jg_printable(const unsigned char *bytes, size_t size, char into[JG_LABEL_SIZE]);

/* check_tree.c */
bool jg_walk_tree(jg_check *c, const jg_tree_head *head, uint32_t tree, uint64_t page);

/* check_free.c */
void jg_check_free_record(jg_check *c, uint64_t page, jg_bytes key, const jg_value *value);

/* check_items.c */
void jg_found_tree(jg_check *c, uint64_t page, jg_bytes name, const unsigned char *head);
void jg_trees_found(jg_check *c);
check_tree *jg_check_tree(jg_check *c, uint32_t number);
void jg_found_item(jg_check *c, uint32_t tree, uint64_t page, jg_bytes key, const jg_value *value);

/* check_buckets.c */
void jg_check_buckets(jg_check *c);

#endif
