/* SPDX-License-Identifier: MIT
**
** records.h - layouts of records (layout.c), for who writes and reads them (records.c).
*/
#ifndef JANGADA_RECORDS_H
#define JANGADA_RECORDS_H

#include "bucket.h"

enum { JG_FIELDS_MAX = 8, JG_HEADER_MAX = JG_FIELDS_MAX * 8, JG_CRC_SIZE = 4 };

typedef struct jg_field {
  char kind;
  bool optional, ascends;
  uint8_t width;           /* 0: the rest */
  uint8_t name, name_size; /* where in the text */
} jg_field;

typedef struct jg_layout {
  jg_field fields[JG_FIELDS_MAX];
  int count;
  size_t header, crc_at; /* crc_at: where the checksum is in the header */
  bool has_crc;
} jg_layout;

void jg_check_layout(lua_State *L, int idx, jg_layout *l);
bool jg_is_read(const jg_field *f); /* is it given to who reads? */
unsigned char *jg_put_field(unsigned char *into, unsigned width, uint64_t n); /* where it ends */
uint64_t jg_get_field(const unsigned char *from, unsigned width);
uint32_t jg_record_checksum(const jg_layout *l, const unsigned char key[8],
                            const unsigned char *header, const void *rest, size_t rest_size);

#endif
