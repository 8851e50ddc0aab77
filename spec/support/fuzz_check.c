/* SPDX-License-Identifier: MIT
**
** fuzz_check.c - libFuzzer's way into the check: the input is a file.
**
** `make fuzz-check` builds it with AddressSanitizer and UndefinedBehaviorSanitizer and runs it from
** spec/corpus/check. The only verdict: it returns, and touches nothing that it should not. With
** -DALONE it checks the files it is given and prints what it finds.
*/
#include "pages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static bool never_stop(void *context, uint64_t done, uint64_t total) {
  if (done > total) abort();
  (void)context;
  return true;
}

/* A disk with bad places, for inputs whose size is odd. */
static int read_badly(const jg_source *source, uint64_t at, void *into, size_t size) {
  if (source->size % 2 != 0 && at / 512 % 31 == source->size / 2 % 31) return EIO;
  memcpy(into, source->bytes + at, size);
  return 0;
}

static int check(const uint8_t *bytes, size_t size, bool print) {
  jg_source source;
  jg_check_settings settings = {.findings_max = size % 5 == 0 ? 2 : 64, .progress = never_stop};
  settings.map = size % 3 == 0;
  jg_source_memory(&source, bytes, size);
  source.read = read_badly;
  jg_check *c = jg_check_new(&source, &settings);
  if (c == NULL || jg_check_run(c) != 0) abort();
  const jg_finding *findings;
  size_t count = jg_check_findings(c, &findings);
  uint64_t page = 0;
  for (size_t i = 0; i < count; i++) {
    if (findings[i].page < page || findings[i].code >= JG_FINDING_CODES ||
        memchr(findings[i].message, 0, JG_FINDING_SIZE) == NULL)
      abort();
    page = findings[i].page;
    if (print)
      printf("page %llu: %s: %s\n", (unsigned long long)page, jg_finding_names[findings[i].code],
             findings[i].message);
  }
  if (jg_check_overtaken(c)) abort();
  jg_check_free(c);
  return count > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  check(bytes, size, false);
  return 0;
}

/* Half of the time only a few bytes change, at a place where LMDB would put a number: what inserts
** or removes bytes shifts all pages behind, and few such files are worth a walk. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t size_max);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t size_max, unsigned seed) {
  if (seed % 2 == 0 || size < 16) return LLVMFuzzerMutate(bytes, size, size_max);
  for (unsigned n = 1 + seed / 2 % 3; n > 0; n--) {
    seed = seed * 1103515245u + 12345u;
    size_t at = (size_t)(seed >> 3) % (size - 8) & ~(size_t)1, width = (size_t)2 << seed % 3;
    LLVMFuzzerMutate(bytes + at, width, width);
  }
  return size;
}

#ifdef ALONE
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t size_max) {
  (void)bytes, (void)size_max;
  return size;
}

int main(int argc, char **argv) {
  int status = 0;
  for (int i = 1; i < argc; i++) {
    FILE *f = fopen(argv[i], "rb");
    if (f == NULL || fseek(f, 0, SEEK_END) != 0) return 2;
    long size = ftell(f);
    uint8_t *bytes = malloc((size_t)size + 1);
    rewind(f);
    if (bytes == NULL || fread(bytes, 1, (size_t)size, f) != (size_t)size) return 2;
    fclose(f);
    printf("%s\n", argv[i]);
    status |= check(bytes, (size_t)size, true);
    free(bytes);
  }
  return status;
}
#endif
