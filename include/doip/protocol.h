/*
 * The protocol's own words: operations, statuses and limits of DOIP v2.0, each listed once.
 * Included by every other public header; holds no code.
 */
#ifndef DOIP_PROTOCOL_H
#define DOIP_PROTOCOL_H

#ifdef __cplusplus
#define DOIP_BEGIN_DECLS extern "C" {
#define DOIP_END_DECLS }
#else
#define DOIP_BEGIN_DECLS
#define DOIP_END_DECLS
#endif

/* A function of libdoip that others may call; everything else in the library is hidden. */
#define DOIP_API __attribute__((visibility("default")))

#define DOIP_PROTOCOL_VERSION "2.0"
#define DOIP_DEFAULT_PORT 9000

/* Most bytes in a requestId or targetId: 4096 bits (protocol section 3). */
#define DOIP_ID_MAX 512
/* Most bytes in one chunk (protocol section 2). */
#define DOIP_CHUNK_MAX 2147483647
/* Most blanks before the newline of a framing line (protocol section 2). */
#define DOIP_BLANKS_MAX 256
/* What a JSON segment may hold unless configured otherwise. */
#define DOIP_JSON_SEGMENT_DEFAULT (1024 * 1024)

#define DOIP_OP_HELLO "0.DOIP/Op.Hello"
#define DOIP_OP_LIST "0.DOIP/Op.ListOperations"
#define DOIP_OP_CREATE "0.DOIP/Op.Create"
#define DOIP_OP_RETRIEVE "0.DOIP/Op.Retrieve"
#define DOIP_OP_UPDATE "0.DOIP/Op.Update"
#define DOIP_OP_DELETE "0.DOIP/Op.Delete"
#define DOIP_OP_SEARCH "0.DOIP/Op.Search"

/* The basic operations (protocol section 6): X(name, id, exported symbol of a handler). */
#define DOIP_OPERATIONS(X)                                                                         \
    X(HELLO, DOIP_OP_HELLO, hello)                                                                 \
    X(LIST, DOIP_OP_LIST, list)                                                                    \
    X(CREATE, DOIP_OP_CREATE, create)                                                              \
    X(RETRIEVE, DOIP_OP_RETRIEVE, retrieve)                                                        \
    X(UPDATE, DOIP_OP_UPDATE, update)                                                              \
    X(DELETE, DOIP_OP_DELETE, delete)                                                              \
    X(SEARCH, DOIP_OP_SEARCH, search)

/* Statuses (protocol section 4). */
#define DOIP_STATUS_OK "0.DOIP/Status.001"
#define DOIP_STATUS_INVALID "0.DOIP/Status.101"
#define DOIP_STATUS_UNAUTHENTICATED "0.DOIP/Status.102"
#define DOIP_STATUS_FORBIDDEN "0.DOIP/Status.103"
#define DOIP_STATUS_UNKNOWN_OBJECT "0.DOIP/Status.104"
#define DOIP_STATUS_DUPLICATE "0.DOIP/Status.105"
#define DOIP_STATUS_DECLINED "0.DOIP/Status.200"
#define DOIP_STATUS_ERROR "0.DOIP/Status.500"

#define DOIP_TYPE_OBJECT "0.TYPE/DO"
#define DOIP_TYPE_SERVICE_INFO "0.TYPE/DOIPServiceInfo"

#endif
