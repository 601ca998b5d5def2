/*
 * The service's reports for people: tables on stdout.
 */
#ifndef DOIPCTL_SHOW_H
#define DOIPCTL_SHOW_H

#include <jansson.h>

void show_status(const json_t *report);
void show_workers(const json_t *report);
void show_connections(const json_t *report);
void show_handlers(const json_t *report);

#endif
