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
#include <wmmintrin.h>

/* The instruction takes three cycles, and can begin in each: three stretches of one length are
** summed side by side. What a sum becomes behind so many bytes more is its product with a power of
** x; the instruction itself takes the remainder of that (Gopal et al., Fast CRC Computation for
** iSCSI Polynomial Using CRC32 Instruction, Intel 2011). */
#define LONG_STRETCH 1024
#define SHORT_STRETCH 80

typedef struct stretch {
  size_t size;
  uint32_t once, twice; /* the powers for what stands one stretch before the end, and two */
} stretch;

static stretch stretches[2] = {{LONG_STRETCH, 0, 0}, {SHORT_STRETCH, 0, 0}};

/* x to the power of n, modulo the polynomial, its bits from the lowest on. */
__attribute__((target("sse4.2"))) static uint32_t power_of_x(size_t n) {
  uint32_t power = 0x80000000u >> (n & 31);
  for (n >>= 5; n > 0; n--)
    power = _mm_crc32_u32(power, 0);
  return power;
}

static void initialize_stretches(void) {
  for (int i = 0; i < 2; i++) {
    size_t bits = 8 * stretches[i].size;
    stretches[i].once = power_of_x(bits - 33); /* 33: what the instruction multiplies by */
    stretches[i].twice = power_of_x(2 * bits - 33);
  }
}

static inline uint64_t word_at(const unsigned char *p) {
  uint64_t word;
  memcpy(&word, p, sizeof word);
  return word;
}

__attribute__((target("sse4.2,pclmul"))) static inline __m128i multiply(uint64_t sum,
                                                                        uint32_t power) {
  return _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)sum), _mm_cvtsi32_si128((int)power), 0);
}

__attribute__((target("sse4.2,pclmul"))) static uint64_t
update_by_three(uint64_t sum, const unsigned char *p, const stretch *s) {
  uint64_t second = 0, third = 0;
  size_t at = 0, size = s->size;
  for (; at < size - 8; at += 8) {
    sum = _mm_crc32_u64(sum, word_at(p + at));
    second = _mm_crc32_u64(second, word_at(p + size + at));
    third = _mm_crc32_u64(third, word_at(p + 2 * size + at));
  }
  sum = _mm_crc32_u64(sum, word_at(p + at));
  second = _mm_crc32_u64(second, word_at(p + size + at));
  __m128i both = _mm_xor_si128(multiply(sum, s->twice), multiply(second, s->once));
  return _mm_crc32_u64(third, word_at(p + 2 * size + at) ^ (uint64_t)_mm_cvtsi128_si64(both));
}

/* Takes all but the rest that is too short for it. Apart, since most sums are of a few bytes. */
__attribute__((target("sse4.2,pclmul"), noinline)) static uint64_t
update_by_stretches(uint64_t sum, const unsigned char **p, size_t *n) {
  for (const stretch *s = stretches; s < stretches + 2; s++)
    for (; *n >= 3 * s->size; *n -= 3 * s->size, *p += 3 * s->size)
      sum = update_by_three(sum, *p, s);
  return sum;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t
update_by_instruction(uint32_t crc, const unsigned char *p, size_t n) {
  uint64_t wide = crc;
  if (n >= 3 * SHORT_STRETCH) {
    const unsigned char *rest = p;
    size_t left = n;
    wide = update_by_stretches(wide, &rest, &left);
    p = rest;
    n = left;
  }
  for (; n >= 8; n -= 8, p += 8)
    wide = _mm_crc32_u64(wide, word_at(p));
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
  if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) {
    initialize_stretches();
    update = update_by_instruction;
  }
#endif
}

void jg_crc32c_open(void) {
  pthread_once(&once, initialize);
}

uint32_t jg_crc32c(uint32_t seed, const void *data, size_t size) {
  return ~update(~seed, data, size);
}
