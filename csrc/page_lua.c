/* SPDX-License-Identifier: MIT
**
** page_lua.c - store.pages and store.page: what is in the pages of a file, as plain tables.
**
** store.page reads one page as it is now, without a lock and whatever state it is in; store.pages
** walks the whole file as a check does, since only that tells which tree uses a page.
*/
#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void set_bytes(lua_State *L, const char *field, const void *bytes, size_t size) {
  lua_pushlstring(L, bytes, size);
  lua_setfield(L, -2, field);
}

/* ---- store.pages --------------------------------------------------------------------------- */

static const char *owner_of(uint32_t tree) {
  return tree == JG_FREE_TREE ? "free list" : tree == JG_MAIN_TREE ? "main" : "tree";
}

/* How many pages from `first` on belong to its overflow run. */
static uint64_t run_length(const jg_check *c, uint64_t first) {
  uint32_t tree;
  uint64_t end = first + 1;
  while (end < jg_check_page_count(c) && jg_check_use(c, end, &tree) == JG_USE_CONTINUED)
    end++;
  return end - first;
}

/* Pushes the row of a page; returns how many pages it stands for. */
static uint64_t push_row(lua_State *L, const jg_checker *k, const jg_source *source,
                         uint64_t number) {
  unsigned char header[JG_PAGE_HEADER];
  uint32_t tree;
  jg_use use = jg_check_use(k->check, number, &tree);
  uint64_t size = jg_check_page_size(k->check), pages = 1;
  lua_createtable(L, 0, 6);
  jg_set_integer(L, "number", number);
  jg_set_string(L, "kind", use == JG_UNUSED ? "leaked" : jg_use_names[use]);
  if (use == JG_UNUSED || use == JG_USE_META || use == JG_USE_FREE) return pages;
  jg_set_string(L, "owner", owner_of(tree));
  size_t name_size;
  const char *name = jg_check_tree_name(k->check, tree, &name_size);
  if (name != NULL) set_bytes(L, "tree", name, name_size);
  if (use == JG_USE_OVERFLOW) {
    pages = run_length(k->check, number);
    jg_set_integer(L, "pages", pages);
  } else if (jg_read(source, number * size, header, sizeof header) == 0) {
    jg_page page;
    jg_page_parse(&page, header, sizeof header);
    jg_set_integer(L, "items", page.count);
    page.size = size;
    if (jg_page_problem(&page) == NULL) jg_set_integer(L, "used", size - (page.upper - page.lower));
  }
  return pages;
}

/* store.pages(path, options): an array of rows, and the array of findings. */
int jg_store_pages(lua_State *L) {
  jg_checker *k = jg_check_path(L, true);
  jg_source source;
  int rc = jg_source_file(&source, k->fd);
  if (rc != 0) jg_raise_rc(L, rc, lua_tostring(L, 1));
  uint64_t count = jg_check_page_count(k->check);
  lua_createtable(L, count < 1u << 30 ? (int)count : 0, 0);
  lua_Integer row = 0;
  for (uint64_t number = 0; number < count;) {
    number += push_row(L, k, &source, number);
    lua_rawseti(L, -2, ++row);
  }
  jg_push_findings(L, k->check);
  jg_checker_drop(k); /* and with it the lock of the file */
  return 2;
}

/* ---- store.page ---------------------------------------------------------------------------- */

static void set_head(lua_State *L, const char *field, const jg_tree_head *head) {
  lua_createtable(L, 0, 7);
  jg_set_integer(L, "flags", head->flags);
  jg_set_integer(L, "depth", head->depth);
  jg_set_integer(L, "branch_pages", head->branch_pages);
  jg_set_integer(L, "leaf_pages", head->leaf_pages);
  jg_set_integer(L, "overflow_pages", head->overflow_pages);
  jg_set_integer(L, "entries", head->entries);
  if (head->root != JG_NO_PAGE) jg_set_integer(L, "root", head->root);
  lua_setfield(L, -2, field);
}

static void set_meta(lua_State *L, const unsigned char *bytes, uint64_t number) {
  jg_meta meta;
  jg_meta_parse(&meta, bytes);
  const char *problem = jg_meta_problem(&meta, number);
  if (problem != NULL) jg_set_string(L, "problem", problem);
  jg_set_integer(L, "tx_id", meta.tx_id);
  jg_set_integer(L, "last_page", meta.last_page);
  jg_set_integer(L, "map_size", meta.map_size);
  jg_set_integer(L, "version", meta.version);
  set_head(L, "free_list", &meta.trees[JG_FREE_TREE]);
  set_head(L, "main", &meta.trees[JG_MAIN_TREE]);
}

static void push_item(lua_State *L, const jg_page *page, unsigned i) {
  jg_node node;
  lua_createtable(L, 0, 4);
  if (!jg_node_parse(page, i, &node)) {
    jg_set_string(L, "problem", "it leaves the page");
    return;
  }
  set_bytes(L, "key", node.key, node.key_size);
  if ((page->flags & JG_PAGE_BRANCH) != 0) {
    jg_set_integer(L, "page", node.page);
    return;
  }
  if ((page->flags & JG_PAGE_FIXED) != 0) return;
  jg_set_integer(L, "size", node.value_size);
  if (node.flags != 0) jg_set_integer(L, "flags", node.flags);
  if ((node.flags & JG_NODE_TREE) != 0 && node.data_size == JG_TREE_HEAD) {
    jg_tree_head head;
    jg_tree_head_parse(&head, node.data);
    set_head(L, "tree", &head);
  } else if ((node.flags & JG_NODE_BIG) != 0) {
    jg_set_integer(L, "page", node.page);
  } else {
    set_bytes(L, "value", node.data, node.data_size);
  }
}

static void set_items(lua_State *L, const jg_page *page) {
  jg_set_integer(L, "lower", page->lower);
  jg_set_integer(L, "upper", page->upper);
  const char *problem = jg_page_problem(page);
  if (problem != NULL) {
    jg_set_string(L, "problem", problem);
    return;
  }
  jg_set_integer(L, "used", page->size - (page->upper - page->lower));
  lua_createtable(L, (int)page->count, 0);
  for (unsigned i = 0; i < page->count; i++) {
    push_item(L, page, i);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, "items");
}

static void push_page(lua_State *L, const unsigned char *bytes, size_t size, uint64_t number) {
  jg_page page;
  jg_page_parse(&page, bytes, size);
  lua_createtable(L, 0, 10);
  jg_set_integer(L, "number", number);
  jg_set_integer(L, "size", size);
  jg_set_integer(L, "flags", page.flags);
  set_bytes(L, "bytes", bytes, size);
  if (number < JG_META_COUNT) {
    jg_set_string(L, "kind", "meta");
    set_meta(L, bytes, number);
    return;
  }
  bool is_branch = page.flags == JG_PAGE_BRANCH;
  bool is_leaf = (page.flags & ~(unsigned)JG_PAGE_FIXED) == JG_PAGE_LEAF;
  if (page.number != number || (!is_branch && !is_leaf && page.flags != JG_PAGE_OVERFLOW)) {
    jg_set_string(L, "kind", "unknown"); /* never used, or amid a big value */
    return;
  }
  jg_set_string(L, "kind", is_branch ? "branch" : is_leaf ? "leaf" : "overflow");
  if (is_branch || is_leaf)
    set_items(L, &page);
  else
    jg_set_integer(L, "pages", page.run);
}

/* Reads a page into `into`, of JG_PAGE_SIZE_MAX bytes. `*size` 0: the file has no such page. */
static int read_page(const char *path, uint64_t number, unsigned char *into, uint64_t *size) {
  jg_source source;
  struct stat st;
  *size = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return errno;
  int rc = fstat(fd, &st) != 0 ? errno : S_ISREG(st.st_mode) ? 0 : MDB_INVALID;
  if (rc == 0) rc = jg_source_file(&source, fd);
  if (rc == 0) {
    uint64_t page_size = jg_find_page_size(&source);
    if (page_size == 0)
      rc = MDB_INVALID;
    else if (number < source.size / page_size)
      *size = page_size;
    if (*size > 0) rc = jg_read(&source, number * page_size, into, page_size);
  }
  close(fd);
  return rc;
}

/* store.page(path, number) */
int jg_store_page(lua_State *L) {
  const char *path = jg_check_path_argument(L, 1);
  lua_Integer number = luaL_checkinteger(L, 2);
  luaL_argcheck(L, number >= 0, 2, "pages are numbered from 0");
  unsigned char *bytes = lua_newuserdatauv(L, JG_PAGE_SIZE_MAX, 0);
  uint64_t size;
  int rc = read_page(path, (uint64_t)number, bytes, &size);
  if (rc != 0) jg_raise_rc(L, rc, path);
  if (size == 0)
    lua_pushnil(L);
  else
    push_page(L, bytes, size, (uint64_t)number);
  return 1;
}
