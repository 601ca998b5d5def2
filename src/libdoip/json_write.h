/*
 * What json_write.c has besides doip_json_write(). Internal to libdoip; pure, any thread.
 */
#ifndef DOIP_JSON_WRITE_H
#define DOIP_JSON_WRITE_H

#include <doip/json.h>

/* As doip_json_write() of a string with this text, of which no value need be made. */
int json_write_string(const char *text, size_t length, doip_json_sink sink, void *closure);

#endif
