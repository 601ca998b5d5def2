/*
 * The debug handler: what its rooms share. An action is what one extended operation does, or one of the seven hooks when a
 * request asks for it; actions.c has those that answer, faults.c those that misbehave, hostile.c those that harm
 * the process, later.c those that answer later, debug.c the descriptor and the way in.
 * Runs in the worker's threads. For tests only: never installed.
 */
#ifndef DEBUG_H
#define DEBUG_H

#include <doip/handler.h>

struct debug {
    char *text; /* the options, as open() saw them */
    int64_t number;
    bool flag;
    uint64_t size;
    char *close_file; /* close() appends a line to it; "" for none */
    int running;      /* Count: calls that run now, and the most that ever did; atomics */
    int most;
};

typedef doip_result (*debug_action)(doip_request *request, doip_response *response);

/* Every action once: X(name, function). The extended operation is "20.DOIP/Debug.<name>". */
#define DEBUG_ANSWERS(X)                                                                           \
    X(Echo, action_echo)                                                                           \
    X(Discard, action_discard)                                                                     \
    X(Ignore, action_ignore)                                                                       \
    X(Big, action_big)                                                                             \
    X(BigJson, action_big_json)                                                                    \
    X(Twice, action_twice)                                                                         \
    X(Empty, action_empty)                                                                         \
    X(State, action_state)                                                                         \
    X(Info, action_info)                                                                           \
    X(Attribute, action_attribute)                                                                 \
    X(Pid, action_pid)                                                                             \
    X(Sleep, action_sleep)                                                                         \
    X(Count, action_count)                                                                         \
    X(Status, action_status)                                                                       \
    X(Object, action_object)

#define DEBUG_FAULTS(X)                                                                            \
    X(Fail, fault_fail)                                                                            \
    X(FailSilently, fault_silently)                                                                \
    X(FailAfterOutput, fault_after_output)                                                         \
    X(FailAfterRead, fault_after_read)                                                             \
    X(Half, fault_half)                                                                            \
    X(OkAfterFail, fault_ok_after_fail)                                                            \
    X(IgnoreErrors, fault_ignore_errors)                                                           \
    X(Decline, fault_decline)                                                                      \
    X(DeclineAfterRead, fault_decline_after_read)                                                  \
    X(DeclineAfterOutput, fault_decline_after_output)                                              \
    X(BadResult, fault_bad_result)                                                                 \
    X(BadText, fault_bad_text)                                                                     \
    X(NoMemory, fault_no_memory)                                                                   \
    X(NoFile, fault_no_file)                                                                       \
    X(ShortFile, fault_short_file)                                                                 \
    X(Hang, fault_hang)                                                                            \
    X(Spin, fault_spin)                                                                            \
    X(Crash, fault_crash)                                                                          \
    X(Abort, fault_abort)                                                                          \
    X(Exit, fault_exit)                                                                            \
    X(Overflow, fault_overflow)

#define DEBUG_HOSTILE(X)                                                                           \
    X(CallExit, hostile_call_exit)                                                                 \
    X(EndThread, hostile_end_thread)                                                               \
    X(Smash, hostile_smash)                                                                        \
    X(Loop, hostile_loop)                                                                          \
    X(Leak, hostile_leak)                                                                          \
    X(Threads, hostile_threads)                                                                    \
    X(Fork, hostile_fork)                                                                          \
    X(Close, hostile_close)                                                                        \
    X(ReadPast, hostile_read_past)                                                                 \
    X(AnswerAgain, hostile_answer_again)

#define DEBUG_LATER(X)                                                                             \
    X(Later, later_answer)                                                                         \
    X(LaterNever, later_never)                                                                     \
    X(LaterUnasked, later_unasked)                                                                 \
    X(LaterAnyway, later_anyway)

#define DEBUG_DECLARE(name, function) doip_result function(doip_request *request, doip_response *response);
DEBUG_ANSWERS(DEBUG_DECLARE)
DEBUG_FAULTS(DEBUG_DECLARE)
DEBUG_HOSTILE(DEBUG_DECLARE)
DEBUG_LATER(DEBUG_DECLARE)
#undef DEBUG_DECLARE

/* Waits until the threads of later.c have ended. */
void debug_later_end(void);

/* Sleeps that many milliseconds, whatever signals come. */
void debug_sleep(int64_t ms);
/* The byte at `offset` of what Big and Half write: a pattern that shows any shift or hole. */
unsigned char debug_pattern(uint64_t offset);
/* Writes `size` bytes of that pattern into the open bytes segment. */
doip_result debug_write_pattern(doip_response *response, uint64_t size);

#endif
