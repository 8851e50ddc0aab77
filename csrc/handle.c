/* SPDX-License-Identifier: MIT
**
** handle.c - handles and who hangs on whom.
**
** Lua collects in an order that nobody chooses: a DB may be finalized before the cursors of its
** transactions. So no finalizer relies on another object being alive. Each open handle is in the
** list of its parent; closing a handle first closes all in its own list, depth first, and takes
** it out of its parent's. Whoever is finalized later finds itself closed and does nothing.
*/
#include "jangada.h"

/* Called once the handle's resource is acquired, with nothing that can raise in between. */
void jg_link(jg_handle *h, jg_handle *parent, void (*release)(jg_handle *)) {
  h->release = release;
  h->open = true;
  h->parent = parent;
  h->prev = NULL;
  h->next = NULL;
  if (parent != NULL) {
    h->next = parent->child;
    if (h->next != NULL) h->next->prev = h;
    parent->child = h;
  }
}

static void unlink_from_parent(jg_handle *h) {
  if (h->prev != NULL)
    h->prev->next = h->next;
  else if (h->parent != NULL)
    h->parent->child = h->next;
  if (h->next != NULL) h->next->prev = h->prev;
  h->parent = h->next = h->prev = NULL;
}

/* Without recursion: buckets may nest deeper than C's stack. Marked closed before anything is
** released: whatever looks meanwhile must find it so. */
void jg_close(jg_handle *top) {
  if (!top->open) return;
  jg_handle *h = top, *parent = NULL;
  while (parent != NULL || h->open) {
    for (h->open = false; h->child != NULL; h = h->child)
      h->child->open = false;
    parent = h == top ? NULL : h->parent;
    h->release(h);
    unlink_from_parent(h);
    if (parent != NULL) h = parent;
  }
}

/* The handle, with all that hangs on it, now hangs on another parent. */
void jg_relink(jg_handle *h, jg_handle *parent) {
  unlink_from_parent(h);
  jg_link(h, parent, h->release);
}
