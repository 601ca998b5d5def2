/*
 * A handler that does not say DOIP_THREAD_SAFE: its calls must come one at a time in each worker. Each call sleeps, and answers
 * how many calls ran at the same time as it; a test reads 1 everywhere.
 */
#include <doip/handler.h>

#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const operations[] = {"20.DOIP/Serial.Overlap", NULL};

DOIP_HANDLER(.name = "serial", .version = "1.0", .operations = operations);

static int running;

DOIP_EXPORT doip_result
extended(doip_request *request, doip_response *response)
{
    struct timespec pause = {.tv_nsec = 50000000};
    int most;

    if (strcmp(doip_request_operation(request), operations[0]) != 0)
        return DOIP_DECLINED;
    most = __atomic_add_fetch(&running, 1, __ATOMIC_SEQ_CST);
    nanosleep(&pause, NULL);
    if (__atomic_load_n(&running, __ATOMIC_SEQ_CST) > most)
        most = __atomic_load_n(&running, __ATOMIC_SEQ_CST);
    __atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
    return doip_respond_json(response, json_pack("{s:i s:i}", "overlap", most, "pid", (int)getpid()));
}
