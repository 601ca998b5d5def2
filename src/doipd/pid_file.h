/*
 * The pid file: held locked by the master as long as it runs, so that two daemons never share one. Master only.
 */
#ifndef DOIPD_PID_FILE_H
#define DOIPD_PID_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* Takes the file and writes the caller's pid; an empty path takes none. False with the reason. Only the first call that takes a file does. */
bool pid_file_take(const char *path, char *reason, size_t size);

/* Removes it. */
void pid_file_remove(void);

/* In a forked worker: lets go of the lock, which is the master's. */
void pid_file_forget(void);

#endif
