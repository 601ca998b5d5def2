/*
 * An object with all its elements, as files in a directory.
 */
#ifndef CLIENT_FOLDER_H
#define CLIENT_FOLDER_H

#include "session.h"

/*
 * Receives an object with element data into `directory` (made where it is missing): object.json,
 * and a file for each element, named after its id. All of them appear when the whole answer is
 * there, and none replaces a file. An exit status.
 */
int folder_receive(session *from, doip_message *message, const char *directory);

#endif
