/* SPDX-License-Identifier: MIT
**
** recorder.h - what recorder.c, which keeps the trace, and recorder_calls.c, which stands in front
** of libc, share.
*/
#ifndef RECORDER_H
#define RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define VISIBLE __attribute__((visibility("default")))

/* Kinds of calls; GROWTH: of writes, sizes and names, those that need room on the disk. */
enum { WRITE = 1, FLUSH = 2, SIZE = 4, NAME = 8, ANY = 15, READ = 16, GROWTH = 32 };
#define SHORT (-1) /* among errors */

typedef struct event {
  char kind, unused[3];
  uint32_t file;
  int32_t error;
  uint32_t token;
  uint64_t offset, size;
} event;

typedef struct watched {
  bool used, dsync;
  uint32_t file; /* 0: the directory */
} watched;

void lock(void);
long done(long result);    /* unlocks; returns what it is given, and leaves errno alone */
long failed(int error);    /* sets errno; -1 */
int next_fault(int kinds); /* of the call about to be made: 0, an error, SHORT */
int or_full(int how);      /* SHORT is ENOSPC where nothing can be short */
void note(event e, const void *data);
void note_names(char kind, const char *old, const char *new_name);
const char *name_of(const char *path); /* in the directory, "" is itself; NULL: not watched */
watched *watched_of(int fd);           /* NULL: it is not watched */
void adopt(int fd, const char *name, int flags, bool is_new);
void adopt_copy(int fd, int of);
bool is_preloaded(void);

#endif
