/* SPDX-License-Identifier: MIT
**
** pages.h - the pages of an LMDB file, read without LMDB, and the walk that checks them all.
**
** pages.c knows the format and trusts no byte; check*.c walk a whole file and tell what is wrong
** in it; check_lua.c and page_lua.c show both to Lua. All but the last two work without Lua and
** without liblmdb, on a file or on bytes in memory, so that they can be fuzzed.
*/
#ifndef JANGADA_PAGES_H
#define JANGADA_PAGES_H

#include "jangada.h"

/* ---- pages.c: where the bytes come from ---------------------------------------------------- */

typedef struct jg_source jg_source;
struct jg_source {
  int (*read)(const jg_source *source, uint64_t at, void *into, size_t size); /* 0 or an errno */
  uint64_t size;
  int fd;                     /* of jg_source_file */
  const unsigned char *bytes; /* of jg_source_memory */
};

int jg_source_file(jg_source *source, int fd); /* 0 or an errno */
void jg_source_memory(jg_source *source, const void *bytes, size_t size);
/* 0, an errno, or ENODATA past the end */
int jg_read(const jg_source *source, uint64_t at, void *into, size_t size);

/* ---- pages.c: the format ------------------------------------------------------------------- */

#define JG_NO_PAGE UINT64_MAX /* the root of an empty tree */
#define JG_PAGE_SIZE_MIN 512u
#define JG_PAGE_SIZE_MAX 32768u
#define JG_PAGE_HEADER 16u
#define JG_NODE_HEADER 8u
#define JG_TREE_HEAD 48u
#define JG_META_SIZE (JG_PAGE_HEADER + 136u)
#define JG_META_COUNT 2u
#define JG_DEPTH_MAX 32u /* LMDB's cursors cannot go deeper */

enum { /* flags of a page */
       JG_PAGE_BRANCH = 0x01,
       JG_PAGE_LEAF = 0x02,
       JG_PAGE_OVERFLOW = 0x04,
       JG_PAGE_META = 0x08,
       JG_PAGE_DIRTY = 0x10, /* on disk only in sub-pages */
       JG_PAGE_FIXED = 0x20, /* keys of one size and nothing else (LMDB: LEAF2) */
       JG_PAGE_SUB = 0x40
};

enum {                      /* flags of a node */
       JG_NODE_BIG = 0x01,  /* the value lies in overflow pages */
       JG_NODE_TREE = 0x02, /* the value is the head of a tree */
       JG_NODE_DUPS = 0x04  /* the value holds the values of a key that has several */
};

enum { /* flags of a tree */
       JG_TREE_REVERSE_KEYS = 0x02,
       JG_TREE_DUPS = 0x04,
       JG_TREE_INTEGER_KEYS = 0x08,
       JG_TREE_FIXED_DUPS = 0x10,
       JG_TREE_INTEGER_DUPS = 0x20,
       JG_TREE_REVERSE_DUPS = 0x40,
       JG_TREE_FLAGS = 0x7e
};

typedef struct jg_tree_head { /* what LMDB knows of a tree (MDB_db) */
  uint32_t pad;
  uint16_t flags, depth;
  uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
} jg_tree_head;

typedef struct jg_meta {
  uint64_t number; /* of its own page, as it says */
  uint16_t flags;
  uint32_t magic, version;
  uint64_t map_size;
  uint32_t page_size;
  jg_tree_head trees[2]; /* the free list and the main database */
  uint64_t last_page, tx_id;
} jg_meta;

typedef struct jg_page { /* or a sub-page: a page within a node */
  const unsigned char *bytes;
  size_t size;
  uint64_t number;
  uint16_t pad, flags, lower, upper;
  uint32_t run;   /* of an overflow page: how many pages the value takes */
  unsigned count; /* of nodes */
} jg_page;

typedef struct jg_node {
  unsigned offset, size; /* in its page */
  uint16_t flags;
  const unsigned char *key, *data;
  size_t key_size, data_size; /* of what lies in the page */
  uint32_t value_size;
  uint64_t page; /* of a branch: the child; of a big value: where it lies */
} jg_node;

typedef struct jg_bytes { /* not owned; NULL: none */
  const unsigned char *bytes;
  size_t size;
} jg_bytes;

typedef enum jg_key_order { JG_BY_BYTES, JG_BY_BYTES_REVERSED, JG_BY_INTEGER } jg_key_order;

void jg_meta_parse(jg_meta *meta, const unsigned char bytes[JG_META_SIZE]);
const char *jg_meta_problem(const jg_meta *meta, uint64_t number); /* NULL: none */
bool jg_page_size_possible(uint64_t size);
void jg_tree_head_parse(jg_tree_head *head, const unsigned char bytes[JG_TREE_HEAD]);
void jg_page_parse(jg_page *page, const unsigned char *bytes, size_t size);
const char *jg_page_problem(const jg_page *page); /* of a branch or leaf; NULL: none */
bool jg_node_parse(const jg_page *page, unsigned index, jg_node *node); /* false: leaves the page */
jg_key_order jg_key_order_of(uint16_t flags, uint16_t integer, uint16_t reverse);
int jg_compare_keys(jg_key_order order, jg_bytes a, jg_bytes b);
uint64_t jg_native_u64(const unsigned char from[8]);

/* ---- check.c: the walk --------------------------------------------------------------------- */

typedef enum jg_finding_code {
#define JG_FINDING(constant, name, sentence) JG_##constant,
#include "findings.h"
#undef JG_FINDING
  JG_FINDING_CODES
} jg_finding_code;

extern const char *const jg_finding_names[JG_FINDING_CODES];     /* "out_of_range" */
extern const char *const jg_finding_sentences[JG_FINDING_CODES]; /* what it means */

#define JG_FINDING_SIZE 240

typedef struct jg_finding {
  uint64_t page;
  size_t order; /* in which it was found */
  jg_finding_code code;
  char message[JG_FINDING_SIZE];
} jg_finding;

typedef enum jg_use { /* of a page */
                      JG_UNUSED,
                      JG_USE_META,
                      JG_USE_FREE,
                      JG_USE_BRANCH,
                      JG_USE_LEAF,
                      JG_USE_OVERFLOW,
                      JG_USE_CONTINUED /* a later page of an overflow run */
} jg_use;

extern const char *const jg_use_names[];

enum { JG_FREE_TREE, JG_MAIN_TREE, JG_NAMED_TREES }; /* numbers of trees */

typedef struct jg_check_settings {
  size_t findings_max;
  bool pinned; /* check the snapshot of `tx_id`, which a read transaction holds */
  uint64_t tx_id;
  bool map; /* keep which tree uses which page */
  bool (*progress)(void *context, uint64_t done, uint64_t total); /* false: stop. May be NULL */
  void *context;
} jg_check_settings;

/* What a walk ends with; else an errno. */
enum { JG_CHECK_STOPPED = -1, JG_CHECK_MOVED = -2 /* the snapshot is gone: begin again */ };

typedef struct jg_check jg_check;
uint64_t jg_find_page_size(const jg_source *source);
jg_check *jg_check_new(const jg_source *source, const jg_check_settings *settings);
int jg_check_run(jg_check *c);
bool jg_check_overtaken(const jg_check *c); /* has a writer had the time to reuse pages? */
size_t jg_check_findings(const jg_check *c, const jg_finding **findings); /* sorted by page */
uint64_t jg_check_more(const jg_check *c); /* findings past findings_max */
void jg_check_free(jg_check *c);

/* Of a check with `map`, after its run. */
uint64_t jg_check_page_count(const jg_check *c);
uint64_t jg_check_page_size(const jg_check *c);
jg_use jg_check_use(const jg_check *c, uint64_t page, uint32_t *tree);
const char *jg_check_tree_name(const jg_check *c, uint32_t tree, size_t *size); /* or NULL */

/* ---- check_lua.c, page_lua.c --------------------------------------------------------------- */

typedef struct jg_checker { /* a userdata that owns a check and perhaps the file */
  jg_check *check;
  int fd; /* -1: none, or LMDB's */
} jg_checker;

void jg_checker_drop(jg_checker *k);
jg_checker *jg_check_path(lua_State *L, bool map); /* runs with the path at 1, options at 2 */
void jg_push_findings(lua_State *L, const jg_check *c);
void jg_push_finding_codes(lua_State *L);
const char *jg_check_path_argument(lua_State *L, int idx);
int jg_store_pages(lua_State *L);
int jg_store_page(lua_State *L);

extern const luaL_Reg jg_check_functions[]; /* for the module */
void jg_open_check(lua_State *L);           /* after jg_open_db, to whose class it adds `check` */

#endif
