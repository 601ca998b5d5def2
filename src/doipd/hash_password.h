/*
 * `doipd --hash-password`: reads a password and prints its hash, for `users` in doipd.conf. One process, one thread.
 */
#ifndef DOIPD_HASH_PASSWORD_H
#define DOIPD_HASH_PASSWORD_H

/* From a terminal twice and without echo, else the first line of standard input. Returns the exit status. */
int hash_password_run(void);

#endif
