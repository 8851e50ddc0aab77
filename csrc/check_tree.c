/* SPDX-License-Identifier: MIT
**
** check_tree.c - walks one tree, depth first, with a page in memory for each level.
**
**     level 1    [      .      m      .      t      ]     a branch: its keys part its children
**                     /        |         \
**     level 2    [a f k]    [m o s]    [t w]              here leaves, all at the tree's depth
**
** What a child may hold follows from the branch above it: from the key left of its pointer on, and
** below the key right of it. Both lie in the pages of the levels above, which stay in memory.
*/
#include "bucket.h"
#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SIZE_MAX 511u /* as LMDB is built unless somebody changes it */

typedef struct level {
  jg_page page;
  unsigned next; /* child to visit */
  jg_bytes low, high;
} level;

typedef struct walk {
  jg_check *c;
  const jg_tree_head *head;
  uint32_t tree;
  uint64_t home; /* the page that holds the head */
  bool dups;     /* it is the tree, or sub-page, of one key's values */
  jg_key_order order;
  bool whole, depth_reported;
  uint64_t branch_pages, leaf_pages, overflow_pages, entries;
  unsigned base, height; /* frames below its own, and levels it has now */
  level levels[JG_DEPTH_MAX];
} walk;

/* All but the levels, which are filled when they come up. */
static void start(walk *w, jg_check *c, const jg_tree_head *head, uint32_t tree, uint64_t home) {
  w->c = c;
  w->head = head;
  w->tree = tree;
  w->home = home;
  w->dups = w->depth_reported = false;
  w->order = tree == JG_FREE_TREE
                 ? JG_BY_INTEGER /* its flags are mixed with those of the file */
                 : jg_key_order_of(head->flags, JG_TREE_INTEGER_KEYS, JG_TREE_REVERSE_KEYS);
  w->whole = true;
  w->branch_pages = w->leaf_pages = w->overflow_pages = w->entries = 0;
  w->base = w->height = 0;
}

static const char *label(const walk *w, char into[JG_LABEL_SIZE]) {
  return jg_label(w->c, w->tree, into);
}

/* ---- keys ---------------------------------------------------------------------------------- */

static bool size_possible(const walk *w, size_t size) {
  if (w->tree == JG_FREE_TREE) return size == sizeof(uint64_t);
  return (size > 0 || w->dups) && size <= KEY_SIZE_MAX;
}

/* Marks the bytes of a node, two to a bit; false when one was marked already. */
static bool mark_bytes(uint64_t *map, const jg_node *node) {
  bool apart = true;
  unsigned end = (node->offset + node->size + 1) / 2;
  for (unsigned i = node->offset / 2; i < end;) {
    unsigned shift = i % 64, n = end - i < 64 - shift ? end - i : 64 - shift;
    uint64_t bits = (n == 64 ? UINT64_MAX : ((uint64_t)1 << n) - 1) << shift;
    if ((map[i / 64] & bits) != 0) apart = false;
    map[i / 64] |= bits;
    i += n;
  }
  return apart;
}

/* Looks at all nodes of a page. False: one is not to be read. Each kind of fault is told once. */
static bool check_nodes(const walk *w, const level *l, uint64_t number) {
  uint64_t map[JG_PAGE_SIZE_MAX / 128];
  bool is_branch = (l->page.flags & JG_PAGE_BRANCH) != 0;
  bool apart = true, ordered = true, sized = true;
  char text[JG_LABEL_SIZE];
  jg_bytes last = l->low;
  memset(map, 0, (l->page.size + 127) / 128 * sizeof *map);
  for (unsigned i = 0; i < l->page.count; i++) {
    jg_node node;
    if (!jg_node_parse(&l->page, i, &node)) {
      jg_report(w->c, JG_BAD_NODE, number, "%s: node %u of page %llu leaves the page",
                label(w, text), i, ull(number));
      return false;
    }
    apart = mark_bytes(map, &node) && apart;
    if (i == 0 && is_branch) continue; /* its key is not used */
    jg_bytes key = {node.key, node.key_size};
    sized = size_possible(w, key.size) && sized;
    if (last.bytes != NULL) {
      int order = jg_compare_keys(w->order, last, key);
      if (order > 0 || (order == 0 && last.bytes != l->low.bytes)) ordered = false;
    }
    last = key;
  }
  if (l->high.bytes != NULL && last.bytes != NULL && jg_compare_keys(w->order, last, l->high) >= 0)
    ordered = false;
  if (!apart)
    jg_report(w->c, JG_OVERLAP, number, "%s: nodes of page %llu share bytes", label(w, text),
              ull(number));
  if (!sized)
    jg_report(w->c, JG_BAD_KEY, number, "%s: a key of page %llu has an impossible size",
              label(w, text), ull(number));
  if (!ordered)
    jg_report(w->c, JG_KEY_ORDER, number,
              "%s: the keys of page %llu are out of order, or belong elsewhere", label(w, text),
              ull(number));
  return true;
}

/* ---- pages --------------------------------------------------------------------------------- */

static const char *header_problem(const walk *w, const jg_page *page, uint64_t number) {
  bool is_branch = page->flags == JG_PAGE_BRANCH, is_leaf = page->flags == JG_PAGE_LEAF;
  bool is_fixed = w->dups && page->flags == (JG_PAGE_LEAF | JG_PAGE_FIXED);
  if (page->number != number) return "it bears another page's number";
  if (!is_branch && !is_leaf && !is_fixed) return "it is neither a branch nor a leaf";
  if (is_fixed && page->pad != w->head->pad) return "its keys have another size than its tree's";
  const char *problem = jg_page_problem(page);
  if (problem != NULL) return problem;
  if (page->count == 0) return "it is empty";
  return is_branch && page->count == 1 ? "it is a branch with one child" : NULL;
}

static void check_depth(walk *w, const jg_page *page) {
  char text[JG_LABEL_SIZE];
  bool is_branch = (page->flags & JG_PAGE_BRANCH) != 0;
  if (w->depth_reported || (is_branch ? w->height < w->head->depth : w->height == w->head->depth))
    return;
  w->depth_reported = true;
  jg_report(w->c, JG_BAD_DEPTH, page->number, "%s: page %llu is a %s at level %u of %u",
            label(w, text), ull(page->number), is_branch ? "branch" : "leaf", w->height,
            w->head->depth);
}

/* Claims a page and reads it into the frame of the next level. */
static bool load(walk *w, uint64_t number, uint64_t from, jg_page *page) {
  jg_check *c = w->c;
  char text[JG_LABEL_SIZE];
  size_t page_size = c->meta.page_size;
  unsigned char **frame = &c->frames[w->base + w->height];
  if (w->height == JG_DEPTH_MAX) {
    jg_report(c, JG_BAD_DEPTH, from, "%s: deeper than %u levels", label(w, text), JG_DEPTH_MAX);
    return false;
  }
  if (*frame == NULL && (*frame = malloc(page_size)) == NULL) {
    c->failure = ENOMEM;
    return false;
  }
  if (!jg_claim(c, number, JG_USE_LEAF, w->tree, from)) return false;
  int rc = jg_read(&c->source, number * page_size, *frame, page_size);
  if (rc != 0) {
    jg_report(c, JG_UNREADABLE, number, "page %llu: %s", ull(number), strerror(rc));
    return false;
  }
  jg_page_parse(page, *frame, page_size);
  return true;
}

/* Goes down to a page, when it can be read and what it says can be followed. */
static bool enter(walk *w, uint64_t number, uint64_t from, jg_bytes low, jg_bytes high) {
  char text[JG_LABEL_SIZE];
  jg_page page;
  if (!load(w, number, from, &page)) return false;
  const char *problem = header_problem(w, &page, number);
  if (problem != NULL) {
    jg_report(w->c, JG_BAD_PAGE, number, "page %llu of %s: %s", ull(number), label(w, text),
              problem);
    return false;
  }
  level *l = &w->levels[w->height++];
  *l = (level){.page = page, .low = low, .high = high};
  check_depth(w, &page);
  if (!check_nodes(w, l, number)) {
    w->height--;
    return false;
  }
  if (page.flags == JG_PAGE_BRANCH) {
    w->c->uses[number] = JG_USE_BRANCH;
    w->branch_pages++;
  } else {
    w->leaf_pages++;
  }
  return true;
}

/* ---- items --------------------------------------------------------------------------------- */

#define HEAD_SIZE (JG_PAGE_HEADER + JG_RECORD_SIZE_MAX)

/* Claims the run of overflow pages of a big value, and reads what a bucket's record would take. */
static bool claim_run(walk *w, uint64_t from, const jg_node *node, unsigned char head[HEAD_SIZE],
                      jg_value *value) {
  jg_check *c = w->c;
  char text[JG_LABEL_SIZE];
  jg_page page;
  uint64_t page_size = c->meta.page_size, first = node->page, at = first * page_size;
  if (!jg_claim(c, first, JG_USE_OVERFLOW, w->tree, from)) return false;
  uint64_t size = c->source.size - at < HEAD_SIZE ? c->source.size - at : HEAD_SIZE;
  int rc = jg_read(&c->source, at, head, size);
  if (rc != 0) {
    jg_report(c, JG_UNREADABLE, first, "page %llu: %s", ull(first), strerror(rc));
    return false;
  }
  jg_page_parse(&page, head, JG_PAGE_HEADER);
  uint64_t needed = (JG_PAGE_HEADER + (uint64_t)node->value_size + page_size - 1) / page_size;
  if (page.number != first || page.flags != JG_PAGE_OVERFLOW || page.run < needed) {
    jg_report(c, JG_BAD_PAGE, first,
              "page %llu of %s: not the first of %llu overflow pages, as page %llu says",
              ull(first), label(w, text), ull(needed), ull(from));
    return false;
  }
  w->overflow_pages += page.run;
  for (uint32_t i = 1; i < page.run; i++)
    if (c->failure != 0 || !jg_claim(c, first + i, JG_USE_CONTINUED, w->tree, first)) return false;
  size -= JG_PAGE_HEADER;
  value->head.bytes = head + JG_PAGE_HEADER;
  value->head.size = size < node->value_size ? size : node->value_size;
  value->at = at + JG_PAGE_HEADER;
  return true;
}

static void run(walk *w);

/* The values of a key that has several: keys of a sub-page, or of a tree of their own. */
static void walk_dups(walk *w, uint64_t number, const jg_node *node) {
  walk d;
  jg_tree_head head = {.flags = 0};
  bool is_tree = (node->flags & JG_NODE_TREE) != 0;
  if (is_tree && node->data_size == JG_TREE_HEAD) jg_tree_head_parse(&head, node->data);
  start(&d, w->c, &head, w->tree, number);
  d.dups = true;
  d.order = jg_key_order_of(w->head->flags, JG_TREE_INTEGER_DUPS, JG_TREE_REVERSE_DUPS);
  d.base = w->base + w->height;
  if (is_tree) {
    d.whole = node->data_size == JG_TREE_HEAD && head.root != JG_NO_PAGE;
    if (d.whole) {
      run(&d);
    } else {
      jg_report(w->c, JG_BAD_TREE, number, "page %llu: the head of a key's values is impossible",
                ull(number));
    }
  } else {
    level l = {.next = 0};
    const unsigned fixed = JG_PAGE_FIXED | JG_PAGE_DIRTY;
    if (node->data_size >= JG_PAGE_HEADER) jg_page_parse(&l.page, node->data, node->data_size);
    d.whole = (l.page.flags & ~fixed) == (JG_PAGE_LEAF | JG_PAGE_SUB) &&
              jg_page_problem(&l.page) == NULL && l.page.count > 0;
    if (!d.whole)
      jg_report(w->c, JG_BAD_NODE, number, "page %llu: the sub-page of a key's values is damaged",
                ull(number));
    else
      d.whole = check_nodes(&d, &l, number);
    d.entries = l.page.count;
  }
  w->entries += d.entries;
  w->whole = w->whole && d.whole;
}

static bool flags_possible(const walk *w, uint16_t flags) {
  bool has_dups = w->tree != JG_FREE_TREE && !w->dups && (w->head->flags & JG_TREE_DUPS) != 0;
  if (flags == 0 || flags == JG_NODE_BIG) return true;
  if (has_dups) return flags == JG_NODE_DUPS || flags == (JG_NODE_DUPS | JG_NODE_TREE);
  return flags == JG_NODE_TREE && w->tree == JG_MAIN_TREE;
}

static void visit_item(walk *w, uint64_t number, const jg_node *node) {
  unsigned char head[HEAD_SIZE];
  char text[JG_LABEL_SIZE];
  jg_bytes key = {node->key, node->key_size};
  jg_value value = {{node->data, node->data_size}, node->value_size, 0};
  if (!flags_possible(w, node->flags)) {
    jg_report(w->c, JG_BAD_NODE, number, "%s: a node of page %llu has the impossible flags %#x",
              label(w, text), ull(number), node->flags);
    w->whole = false;
    return;
  }
  if ((node->flags & JG_NODE_DUPS) != 0) {
    walk_dups(w, number, node);
    return;
  }
  w->entries++;
  if ((node->flags & JG_NODE_BIG) != 0 && !claim_run(w, number, node, head, &value)) {
    w->whole = false;
  } else if ((node->flags & JG_NODE_TREE) != 0) {
    if (node->data_size == JG_TREE_HEAD) {
      jg_found_tree(w->c, number, key, node->data);
    } else {
      jg_report(w->c, JG_BAD_TREE, number, "page %llu: the head of a tree has %zu bytes, not %u",
                ull(number), node->data_size, JG_TREE_HEAD);
      w->whole = false;
    }
  } else if (w->tree == JG_FREE_TREE) {
    jg_check_free_record(w->c, number, key, &value);
  } else if (w->tree >= JG_NAMED_TREES && !w->dups) {
    jg_found_item(w->c, w->tree, number, key, &value);
  }
}

static void visit_leaf(walk *w, const level *l) {
  jg_node node;
  if ((l->page.flags & JG_PAGE_FIXED) != 0) {
    w->entries += l->page.count;
    return;
  }
  for (unsigned i = 0; i < l->page.count && w->c->failure == 0; i++)
    if (jg_node_parse(&l->page, i, &node)) visit_item(w, l->page.number, &node);
}

/* ---- the walk ------------------------------------------------------------------------------ */

static void visit_child(walk *w, level *l) {
  jg_node node, right;
  unsigned i = l->next++;
  jg_bytes low = l->low, high = l->high;
  if (!jg_node_parse(&l->page, i, &node)) return;
  if (i > 0) low = (jg_bytes){node.key, node.key_size};
  if (i + 1 < l->page.count && jg_node_parse(&l->page, i + 1, &right))
    high = (jg_bytes){right.key, right.key_size};
  if (!enter(w, node.page, l->page.number, low, high)) w->whole = false;
}

static void run(walk *w) {
  jg_bytes none = {NULL, 0};
  char text[JG_LABEL_SIZE];
  if (!enter(w, w->head->root, w->home, none, none)) w->whole = false;
  while (w->height > 0 && w->c->failure == 0) {
    level *l = &w->levels[w->height - 1];
    bool is_branch = l->page.flags == JG_PAGE_BRANCH;
    if (!is_branch) visit_leaf(w, l);
    if (is_branch && l->next < l->page.count)
      visit_child(w, l);
    else
      w->height--;
  }
  const jg_tree_head *h = w->head;
  if (w->whole && w->c->failure == 0 &&
      (h->branch_pages != w->branch_pages || h->leaf_pages != w->leaf_pages ||
       h->overflow_pages != w->overflow_pages || h->entries != w->entries))
    jg_report(w->c, JG_BAD_COUNT, w->home,
              "%s%s has %llu branch, %llu leaf, %llu overflow pages and %llu entries, "
              "its head says %llu, %llu, %llu, %llu",
              w->dups ? "a key of " : "", label(w, text), ull(w->branch_pages), ull(w->leaf_pages),
              ull(w->overflow_pages), ull(w->entries), ull(h->branch_pages), ull(h->leaf_pages),
              ull(h->overflow_pages), ull(h->entries));
}

static const char *head_problem(const jg_tree_head *head, uint32_t tree) {
  bool is_empty = head->root == JG_NO_PAGE;
  if (tree != JG_FREE_TREE && (head->flags & ~JG_TREE_FLAGS) != 0) return "it has unknown flags";
  if (is_empty && (head->depth | head->branch_pages | head->leaf_pages | head->overflow_pages |
                   head->entries) != 0)
    return "it has no root, but pages or entries";
  if (is_empty) return NULL;
  return head->depth == 0 || head->depth > JG_DEPTH_MAX ? "its depth is impossible" : NULL;
}

/* Walks a tree whose head was found on `page`. False: a part of it could not be walked. */
bool jg_walk_tree(jg_check *c, const jg_tree_head *head, uint32_t tree, uint64_t page) {
  walk w;
  char text[JG_LABEL_SIZE];
  const char *problem = head_problem(head, tree);
  if (problem != NULL) jg_report(c, JG_BAD_TREE, page, "%s: %s", jg_label(c, tree, text), problem);
  if (head->root == JG_NO_PAGE || c->failure != 0) return true;
  start(&w, c, head, tree, page);
  run(&w);
  if (!w.whole) c->whole = false;
  return w.whole;
}
