/* SPDX-License-Identifier: MIT
**
** raw_append.c - the least that a durable append can cost: the entries' data alone, no index, no
** checksum, by one pwrite and one fdatasync a batch, into a file whose every byte was written
** before. It goes round in the file, as a journal does.
**
** usage: raw_append DIRECTORY SIZE BATCH     (bench/turns.lua tells what is read and printed)
*/
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FILE_SIZE = 16 << 20, PIECE = 4096, COMMITS_MAX = 10000000 };

typedef struct Figures {
  double *latencies; /* seconds, of each commit that counts */
  size_t count, room;
} Figures;

static void fail(const char *what) {
  fprintf(stderr, "raw_append: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void *need(void *memory) {
  if (!memory) fail("memory");
  return memory;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void write_all(int fd, const char *data, size_t size, off_t offset) {
  while (size > 0) {
    ssize_t n = pwrite(fd, data, size, offset);
    if (n < 0) fail("pwrite");
    data += n, size -= (size_t)n, offset += n;
  }
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double percentile(const double *sorted, size_t count, double share) {
  size_t rank = (size_t)(share * (double)count);
  return sorted[rank < count ? rank : count - 1] * 1e6;
}

static void report(const Figures *figures, size_t batch) {
  size_t n = figures->count;
  double seconds = 0, *sorted = figures->latencies;
  qsort(sorted, n, sizeof *sorted, compare);
  for (size_t i = 0; i < n; i++)
    seconds += sorted[i];
  printf("{\"who\":\"raw\",\"batch\":%zu,\"commits\":%zu,\"entries_per_s\":%.1f,"
         "\"commits_per_s\":%.1f,\"mean_us\":%.2f,\"p50_us\":%.2f,\"p99_us\":%.2f,\"p999_us\":%.2f,"
         "\"max_us\":%.2f}\n",
         batch, n, (double)(n * batch) / seconds, (double)n / seconds, seconds / (double)n * 1e6,
         percentile(sorted, n, 0.5), percentile(sorted, n, 0.99), percentile(sorted, n, 0.999),
         sorted[n - 1] * 1e6);
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: raw_append DIRECTORY SIZE BATCH\n");
    return 2;
  }
  size_t batch = strtoul(argv[3], NULL, 10), size = strtoul(argv[2], NULL, 10) * batch;
  if (size == 0 || size > FILE_SIZE) {
    fprintf(stderr, "raw_append: a batch of %zu bytes: 1 to %d\n", size, FILE_SIZE);
    return 2;
  }
  if (chdir(argv[1]) != 0) fail(argv[1]);
  int fd = open("raw", O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (fd < 0) fail("raw");
  char *data = need(malloc(FILE_SIZE));
  memset(data, 'x', FILE_SIZE);
  /* In small pieces: of large ones Linux makes large folios, whose flushes cost a seventh more. */
  for (off_t at = 0; at < FILE_SIZE; at += PIECE)
    write_all(fd, data, PIECE, at);
  if (fsync(fd) != 0) fail("fsync");

  Figures figures = {NULL, 0, 0};
  off_t offset = 0;
  char line[64];
  for (int turn = 0; fgets(line, sizeof line, stdin); turn++) {
    size_t commits = strtoul(line, NULL, 10);
    if (commits < 1 || commits > COMMITS_MAX) break;
    if (figures.count + commits > figures.room) {
      figures.room = figures.count + commits;
      figures.latencies = need(realloc(figures.latencies, figures.room * sizeof(double)));
    }
    double seconds = 0;
    for (size_t i = 0; i < commits; i++) {
      if (offset + (off_t)size > FILE_SIZE) offset = 0;
      double started = now();
      write_all(fd, data, size, offset);
      if (fdatasync(fd) != 0) fail("fdatasync");
      seconds += figures.latencies[figures.count++] = now() - started;
      offset += (off_t)size;
    }
    printf("%.6f\n", seconds);
    fflush(stdout);
    if (turn == 0) figures.count = 0; /* it warmed up */
  }
  if (figures.count > 0) report(&figures, batch);
  free(figures.latencies);
  free(data);
  close(fd);
  return 0;
}
