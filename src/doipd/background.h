/*
 * Going into the background: the command that was typed waits until the service is ready, and ends with 0, or with 1 and the reason.
 */
#ifndef DOIPD_BACKGROUND_H
#define DOIPD_BACKGROUND_H

#include <stdbool.h>

/* Forks; returns in the child, which is its session's leader. The parent never returns: it waits for background_tell(). False in the calling
 * process, with errno, when there can be no child. */
bool background_enter(void);

/* In the child, once: ready (NULL), or the reason why not. */
void background_tell(const char *reason);

/* In a process forked from that child: it has nothing to tell, and must not keep the waiting command waiting. */
void background_forget(void);

#endif
