/*
 * The kinds of messages in the log, each listed once: X(name, number, word). The word is what operators look for (doipd(8) lists them all), the number is the
 * end of the journal's MESSAGE_ID. Neither changes once it was released, whatever becomes of the wording.
 */
#ifndef DOIPD_LOG_KINDS_H
#define DOIPD_LOG_KINDS_H

#define LOG_KINDS(X)                                      \
    X(ACCESS, 0x0001, "access")                           \
    X(SERVING, 0x0101, "serving")                         \
    X(START_FAILED, 0x0102, "start-failed")               \
    X(STOPPING, 0x0103, "stopping")                       \
    X(STOPPED, 0x0104, "stopped")                         \
    X(RELOADED, 0x0105, "reloaded")                       \
    X(RELOAD_REFUSED, 0x0106, "reload-refused")           \
    X(GENERATION_ENDED, 0x0107, "generation-ended")       \
    X(NO_MEMORY, 0x0108, "no-memory")                     \
    X(SERVICE_ID_ASSUMED, 0x0201, "service-id-assumed")   \
    X(USER_MISSING, 0x0205, "user-missing")               \
    X(WORKERS_ARE_ROOT, 0x0206, "workers-are-root")       \
    X(HASHES_EXPOSED, 0x0207, "hashes-exposed")           \
    X(DESCRIPTORS_SHORT, 0x0202, "descriptors-short")     \
    X(CONTROL_UNREACHABLE, 0x0203, "control-unreachable") \
    X(ADDRESS_UNUSABLE, 0x0204, "address-unusable")       \
    X(CERTIFICATE_MADE, 0x0301, "certificate-made")       \
    X(CERTIFICATE_NAME, 0x0302, "certificate-name")       \
    X(CERTIFICATE_RENEWED, 0x0304, "certificate-renewed") \
    X(CERTIFICATE_KEPT, 0x0305, "certificate-kept")       \
    X(CERTIFICATE_ENDS, 0x0306, "certificate-ends")       \
    X(STAPLE_EXPIRED, 0x0307, "staple-expired")           \
    X(TICKET_KEYS_KEPT, 0x0303, "ticket-keys-kept")       \
    X(WORKER_READY, 0x0401, "worker-ready")               \
    X(WORKER_START_FAILED, 0x0402, "worker-start-failed") \
    X(WORKER_DIED, 0x0403, "worker-died")                 \
    X(WORKER_KEEPS_DYING, 0x0404, "worker-keeps-dying")   \
    X(WORKER_KILLED, 0x0405, "worker-killed")             \
    X(WORKER_DRAINING, 0x0406, "worker-draining")         \
    X(WORKER_SILENT, 0x0408, "worker-silent")             \
    X(WORKER_SPENT, 0x0409, "worker-spent")               \
    X(THREAD_FAILED, 0x0407, "thread-failed")             \
    X(HANDLER_LOADED, 0x0501, "handler-loaded")           \
    X(HANDLERS_MISSING, 0x0502, "handlers-missing")       \
    X(HANDLER_OVERRAN, 0x0503, "handler-overran")         \
    X(HANDLER_MISBEHAVED, 0x0504, "handler-misbehaved")   \
    X(ACCEPT_FAILED, 0x0601, "accept-failed")             \
    X(CONNECTIONS_FULL, 0x0602, "connections-full")       \
    X(CONNECTION_ENDED, 0x0603, "connection-ended")       \
    X(ADDRESS_FULL, 0x0604, "address-full")               \
    X(CLIENT_SLOW, 0x0605, "client-slow")                 \
    X(AUTHENTICATION_REFUSED, 0x0701, "authentication-refused")

enum log_kind {
#define X(name, number, word) LOG_KIND_##name,
    LOG_KINDS(X)
#undef X
        LOG_KIND_COUNT
};

#endif
