#pragma once

#include <crypt.h>

/* How many bytes crypt_rn needs for its work: Swift does not import arrays as long as those of struct crypt_data. */
static inline int crypt_work_size(void) { return (int)sizeof(struct crypt_data); }
