/*
 * `doipd --check-certificate`: shows the certificates of the configuration, and whether they are good. One process, one thread.
 */
#ifndef DOIPD_CHECK_CERTIFICATE_H
#define DOIPD_CHECK_CERTIFICATE_H

#include "config.h"

/* Changes nothing. Returns the exit status: not 0 where a start would be refused because of them. */
int check_certificate_run(const struct config_source *source);

#endif
