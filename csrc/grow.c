/* SPDX-License-Identifier: MIT
**
** grow.c - arrays that grow.
*/
#include "jangada.h"

#include <stdlib.h>

/* Room for one more: the array, moved perhaps; NULL when memory is short, and it is as it was. */
void *jg_grow(void *array, size_t *capacity, size_t count, size_t item_size) {
  if (count < *capacity) return array;
  size_t larger = *capacity == 0 ? 16 : 2 * *capacity;
  void *moved = larger > SIZE_MAX / item_size ? NULL : realloc(array, larger * item_size);
  if (moved != NULL) *capacity = larger;
  return moved;
}
