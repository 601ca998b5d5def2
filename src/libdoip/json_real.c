/*
 * Reals as JSON writes them: the shortest decimal that reads back equal, laid out as Python's
 * repr() does but for the exponent, which has neither '+' nor leading zeros (as Jansson writes it).
 * Used by json_write.c; pure, any thread.
 */
#include "json_real.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every decimal of 15 digits survives the way through a double and back; 17 digits tell any two
 * doubles apart. */
#define DIGITS_SAFE DBL_DIG
#define DIGITS_MAX DBL_DECIMAL_DIG

/* Beyond these powers of ten a real is written with an exponent. */
#define FIXED_LOW (-4)
#define FIXED_HIGH 16

/* A positive number: 0.DIGITS * 10^point. */
struct decimal {
    int count;
    int point;
    char digits[DIGITS_MAX + 1];
};

/* Rounds `value` to so many digits. */
static struct decimal
decimal_round(double value, int count)
{
    struct decimal decimal = {.count = 0};
    char text[JSON_REAL_SIZE];
    const char *at = text;

    snprintf(text, sizeof text, "%.*e", count - 1, value);
    for (; *at != 'e'; at++) /* skips the point, whatever the locale has for it */
        if (*at >= '0' && *at <= '9' && decimal.count < DIGITS_MAX)
            decimal.digits[decimal.count++] = *at;
    decimal.point = atoi(at + 1) + 1; /* NOLINT(cert-err34-c): snprintf() wrote it */
    return decimal;
}

/* Writes it without a point, so that no locale matters. */
static double
decimal_value(const struct decimal *decimal)
{
    char text[JSON_REAL_SIZE];

    snprintf(text, sizeof text, "%.*se%d", decimal->count, decimal->digits,
             decimal->point - decimal->count);
    return strtod(text, NULL);
}

/* The next larger decimal of as many digits. */
static struct decimal
decimal_above(struct decimal decimal)
{
    int i = decimal.count - 1;

    while (i >= 0 && decimal.digits[i] == '9')
        decimal.digits[i--] = '0';
    if (i >= 0) {
        decimal.digits[i]++;
    } else {
        decimal.digits[0] = '1';
        decimal.point++;
    }
    return decimal;
}

/*
 * A power of two has its neighbour below twice as near as the one above. The nearest decimal may
 * lie below it and read back as that neighbour, while the next one, above and farther away, reads
 * back right: 2^-44 is 5.684341886080802e-14.
 */
static bool
is_power_of_two(double value)
{
    int exponent;

    return frexp(value, &exponent) == 0.5;
}

/* The shortest decimal that reads back as `value`, which is positive. */
static struct decimal
decimal_shortest(double value)
{
    /* A shorter one, padded with zeros, is what rounding to the safe number gives; subnormals have
     * fewer safe digits. */
    for (int count = value < DBL_MIN ? 1 : DIGITS_SAFE; count < DIGITS_MAX; count++) {
        struct decimal decimal = decimal_round(value, count);

        if (decimal_value(&decimal) == value)
            return decimal;
        if (is_power_of_two(value)) {
            decimal = decimal_above(decimal);
            if (decimal_value(&decimal) == value)
                return decimal;
        }
    }
    return decimal_round(value, DIGITS_MAX);
}

static char *
put_digits(char *at, const char *digits, int count)
{
    memcpy(at, digits, (size_t)count);
    return at + count;
}

static char *
put_zeros(char *at, int count)
{
    memset(at, '0', (size_t)count);
    return at + count;
}

static char *
put_fixed(char *at, const struct decimal *decimal)
{
    int before = decimal->point < 0 ? 0 : decimal->point;

    if (before >= decimal->count) { /* 100000.0 */
        at = put_digits(at, decimal->digits, decimal->count);
        at = put_zeros(at, before - decimal->count);
        return put_digits(at, ".0", 2);
    }
    if (before == 0) { /* 0.00012 */
        at = put_digits(at, "0.", 2);
        at = put_zeros(at, -decimal->point);
        return put_digits(at, decimal->digits, decimal->count);
    }
    at = put_digits(at, decimal->digits, before);
    *at++ = '.';
    return put_digits(at, decimal->digits + before, decimal->count - before);
}

static char *
put_exponent(char *at, const struct decimal *decimal)
{
    *at++ = decimal->digits[0];
    if (decimal->count > 1) {
        *at++ = '.';
        at = put_digits(at, decimal->digits + 1, decimal->count - 1);
    }
    return at + sprintf(at, "e%d", decimal->point - 1);
}

size_t
json_real_text(double value, char text[JSON_REAL_SIZE])
{
    struct decimal decimal = {.count = 1, .point = 1, .digits = "0"};
    char *at = text;

    if (!isfinite(value))
        return 0;
    if (signbit(value))
        *at++ = '-';
    if (value != 0)
        decimal = decimal_shortest(fabs(value));
    while (decimal.count > 1 && decimal.digits[decimal.count - 1] == '0')
        decimal.count--;
    if (decimal.point > FIXED_LOW && decimal.point <= FIXED_HIGH)
        at = put_fixed(at, &decimal);
    else
        at = put_exponent(at, &decimal);
    return (size_t)(at - text);
}
