/*
 * The portable form of a repository, which export.c writes and import.c reads (doip-store(1)):
 *
 *   objects.jsonl     one object per line, in the order of their creation, each as the default
 *                     serialization has it: with attributes.metadata, and the length and
 *                     attributes.sha256 of each element that has data
 *   elements/SHA256   bytes, equal ones once
 *   manifest.json     written last: a dump without it is not whole
 *
 * It holds nothing of when or where it was written: equal repositories give equal dumps.
 */
#ifndef STORE_TOOL_DUMP_H
#define STORE_TOOL_DUMP_H

#define DUMP_FORMAT "doip-store dump"
#define DUMP_VERSION 1
#define DUMP_OBJECTS "objects.jsonl"
#define DUMP_MANIFEST "manifest.json"

#endif
