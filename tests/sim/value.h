/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value.h - words of a line, as numbers
 *
 * Each function takes one blank-separated word off the front of *@s. Return:
 * false, *@s unchanged, when the next word is not such a value. Pure.
 */
#ifndef TESTS_SIM_VALUE_H
#define TESTS_SIM_VALUE_H

#include <stdbool.h>
#include <stdint.h>

/* value_word() - The literal @word. */
bool value_word(const char **s, const char *word);

/* value_number() - Decimal digits, from @min to @max. */
bool value_number(const char **s, uint64_t min, uint64_t max, uint64_t *out);

/* value_time() - 250ns 10us 1.5ms 2s, at most @max ns. */
bool value_time(const char **s, uint64_t max, uint64_t *out);

/* value_percent() - 40%, 0.5%, as parts of @whole for 100 %, at most @max. */
bool value_percent(const char **s, uint32_t whole, uint64_t max, uint64_t *out);

/* value_decimal() - 1.25, in thousandths, at most @max thousandths. */
bool value_decimal(const char **s, uint64_t max, uint64_t *out);

/* value_end() - Nothing follows. */
bool value_end(const char *s);

#endif
