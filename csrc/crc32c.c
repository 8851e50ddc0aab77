/* SPDX-License-Identifier: MIT
**
** crc32c.c - CRC-32C (Castagnoli, RFC 3720 B.4): the processor's instruction where there is one,
** else eight table look-ups for eight bytes ("slicing by 8").
*/
#include "jangada.h"

#include <string.h>

static uint32_t table[8][256];
static uint32_t (*update)(uint32_t crc, const unsigned char *p, size_t n);
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint32_t update_by_table(uint32_t crc, const unsigned char *p, size_t n) {
  for (; n >= 8; n -= 8, p += 8) {
    crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    crc = table[7][crc & 255] ^ table[6][crc >> 8 & 255] ^ table[5][crc >> 16 & 255] ^
          table[4][crc >> 24] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
  }
  while (n-- > 0)
    crc = crc >> 8 ^ table[0][(crc ^ *p++) & 255];
  return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
__attribute__((target("sse4.2"))) static uint32_t
update_by_instruction(uint32_t crc, const unsigned char *p, size_t n) {
  uint64_t wide = crc;
  for (; n >= 8; n -= 8, p += 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = (uint32_t)wide;
  if ((n & 4) != 0) {
    uint32_t word;
    memcpy(&word, p, 4);
    crc = _mm_crc32_u32(crc, word);
    p += 4;
  }
  for (n &= 3; n > 0; n--)
    crc = _mm_crc32_u8(crc, *p++);
  return crc;
}
#endif

static void initialize(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    table[0][i] = crc;
  }
  for (int slice = 1; slice < 8; slice++)
    for (int i = 0; i < 256; i++) {
      uint32_t before = table[slice - 1][i];
      table[slice][i] = before >> 8 ^ table[0][before & 255];
    }
  update = update_by_table;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) update = update_by_instruction;
#endif
}

void jg_crc32c_open(void) {
  pthread_once(&once, initialize);
}

uint32_t jg_crc32c(uint32_t seed, const void *data, size_t size) {
  return ~update(~seed, data, size);
}
