/*
 * Fuzzes a worker's conversations: whole sequences of messages over several connections, against the real steps of conversation.c and all below
 * them (libFuzzer, `make fuzz`); tests/unit/unit_worker.h says what is not real.
 *
 * The input is a script: bytes that choose what happens next, some followed by arguments: a message of the table, whole or in pieces; raw bytes; a
 * client reads, stops, goes; time passes; threads are short; the worker drains. The oracle: answers are well-formed, and as long as a client sent
 * only messages of the table, they are the answers to these, in order; all of them, unless something happened that may end a connection; no
 * connection stays, and nothing turns for ever.
 */
#include <stdbool.h>
#include <string.h>

#include "fuzz.h"

#include "../unit/unit_worker.h"
#include "service.h"

enum { CLIENTS = 3, MESSAGES_MOST = 200, OUTPUT_MOST = 1 << 22 };

/* ------------------------------------------------------------------ clients */

struct client {
    int fd; /* -1: not there */
    bool greeted;
    bool raw;       /* it sent something else than messages of the table */
    bool disturbed; /* something happened that may have ended it */
    unsigned sent;
    bool named[MESSAGES_MOST];
    char *output;
    size_t length;
    bool ended; /* by the worker */
};

static struct client clients[CLIENTS];

/* The script. */
static const uint8_t *script, *script_end;
static struct client *current;

static unsigned
next_byte(void)
{
    return script < script_end ? *script++ : 0;
}

static void
disturb_all(void)
{
    for (int i = 0; i < CLIENTS; i++)
        clients[i].disturbed = true;
}

/* What the socket takes at once; true: something went. */
static size_t
client_send(struct client *client, const char *data, size_t size)
{
    ssize_t n = client->fd >= 0 ? send(client->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) : -1;

    return n > 0 ? (size_t)n : 0;
}

static void
client_read(struct client *client, size_t most)
{
    while (client->fd >= 0 && !client->ended && most > 0 && client->length < OUTPUT_MOST) {
        size_t room = OUTPUT_MOST - client->length < most ? OUTPUT_MOST - client->length : most;
        ssize_t n = recv(client->fd, client->output + client->length, room, MSG_DONTWAIT);

        client->ended = n == 0 || (n < 0 && errno != EAGAIN);
        if (n <= 0)
            return;
        client->length += (size_t)n;
        most -= (size_t)n;
    }
}

static void
client_connect(struct client *client)
{
    if (client->fd >= 0)
        return;
    client->fd = world_connect(40000);
    client->greeted = client->raw = client->ended = false;
    client->disturbed = atomic_load(&world.worker.draining);
    client->sent = 0;
    client->length = 0;
    /* more than one address may have */
    if (atomic_load(&world.worker.count) > CLIENTS - 1)
        client->disturbed = true;
}

static void
client_greet(struct client *client)
{
    if (!client->greeted && client_send(client, "T", 1) == 1)
        client->greeted = true;
}

static char *
message_text(const struct message *message, unsigned number, size_t *length)
{
    char *text = NULL, *at, *large;

    REQUIRE(asprintf(&text, message->text, number) > 0);
    *length = strlen(text);
    at = strstr(text, "70000\n@");
    if (at == NULL)
        return text;
    at += strlen("70000\n");
    large = malloc(*length + LARGE);
    memcpy(large, text, (size_t)(at - text));
    memset(large + (at - text), 'y', LARGE);
    strcpy(large + (at - text) + LARGE, at + 1);
    *length += LARGE - 1;
    free(text);
    return large;
}

/* Sends a message, in pieces between which the worker gets its turn, unless one of its handlers is what we are called by. */
static void
client_message(struct client *client, unsigned which, size_t piece, bool turns)
{
    const struct message *message = &messages[which % MESSAGES];
    size_t length, at = 0;
    char *text;

    if (client->fd < 0 || client->sent == MESSAGES_MOST)
        return;
    client_greet(client);
    text = message_text(message, client->sent + 1, &length);
    client->named[client->sent++] = message->named;
    client->disturbed = client->disturbed || message->breaks;
    for (int stuck = 0; at < length && stuck < 3;) {
        size_t size = piece > 0 && piece < length - at ? piece : length - at, n;

        n = client_send(client, text + at, size);
        at += n;
        stuck = n > 0 ? 0 : stuck + 1;
        if (turns)
            REQUIRE(world_turn());
        if (n == 0)
            client_read(client, SIZE_MAX); /* or both would wait for the other */
    }
    if (at < length) {
        client->disturbed = true;
        client->raw = true;
    }
    free(text);
}

static void
client_raw(struct client *client)
{
    size_t size = next_byte(), left = (size_t)(script_end - script);

    if (size > left)
        size = left;
    client->raw = client->disturbed = true;
    client_send(client, (const char *)script, size);
    script += size;
}

static void
client_close(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
}

/* ------------------------------------------------------------------ what was answered */

static bool
check_answer(doip_reader *reader, const struct client *client, unsigned number)
{
    doip_message *message = doip_message_new(reader, "output");
    uint64_t budget = UINT64_MAX;
    json_t *head;
    int n = doip_message_head(message, &head);

    /* an answer that breaks off leaves no well-formed rest */
    REQUIRE(n == 0 || n == 1 || n == DOIP_E_BROKEN);
    if (n == 1) {
        const char *id = json_string_value(json_object_get(head, "requestId"));

        REQUIRE(json_is_string(json_object_get(head, "status")));
        if (!client->raw) {
            REQUIRE(number < client->sent && (id != NULL) == client->named[number]);
            REQUIRE(id == NULL || (unsigned)atoi(id) == number + 1);
        }
        n = doip_message_discard(message, &budget);
        REQUIRE(n == 0 || (n == DOIP_E_BROKEN && client->disturbed));
        n = n == 0;
    }
    doip_message_free(&message);
    return n == 1;
}

static void
check_output(const struct client *client)
{
    doip_stream *stream = doip_memory_new();
    doip_reader *reader = doip_reader_new(stream, SIZE_MAX);
    unsigned answers = 0;

    doip_memory_feed(stream, client->output, client->length);
    doip_memory_end(stream);
    while (check_answer(reader, client, answers))
        answers++;
    REQUIRE(client->disturbed || answers == client->sent);
    doip_reader_free(&reader);
    doip_stream_free(&stream);
}

/* Reads all that still comes, and goes. */
static void
client_finish(struct client *client)
{
    size_t before;

    if (client->fd < 0)
        return;
    do {
        before = client->length;
        REQUIRE(world_turn());
        client_read(client, SIZE_MAX);
    } while (client->length > before && client->length < OUTPUT_MOST);
    /* one that was refused by an alert has read no answer */
    if (client->greeted && client->length < OUTPUT_MOST &&
        !(client->length > 0 && client->output[0] == '!'))
        check_output(client);
    client_close(client);
}

/* ------------------------------------------------------------------ the script */

static void
drain(void)
{
    disturb_all();
    if (atomic_load(&world.worker.draining))
        atomic_store(&world.worker.last_call, true);
    atomic_store(&world.worker.draining, true);
}

static void
pass_time(void)
{
    disturb_all();
    world_wait((int64_t)1 << next_byte() % 20);
}

/* What a client does, also while a handler waits: false where the next step is none of these. */
static bool
client_step(bool turns)
{
    unsigned which, piece;

    if (script >= script_end)
        return false;
    switch (*script % 16) {
    case 0:
    case 1:
    case 2:
        next_byte();
        which = next_byte();
        piece = next_byte();
        client_message(current, which, piece, turns);
        return true;
    case 3:
        next_byte();
        client_raw(current);
        return true;
    case 4:
        next_byte();
        client_read(current, 16 * next_byte());
        return true;
    case 5:
        next_byte();
        client_read(current, SIZE_MAX);
        return true;
    case 6:
        next_byte();
        current->disturbed = current->raw = true; /* a message that is not whole */
        if (current->fd >= 0)
            shutdown(current->fd, SHUT_WR);
        return true;
    default:
        return false;
    }
}

static bool
while_waiting(void)
{
    if (client_step(false))
        return true;
    disturb_all();
    return false;
}

static void
step(void)
{
    if (client_step(true))
        return;
    switch (next_byte() % 16) {
    case 7:
        client_close(current);
        break;
    case 8:
        current = &clients[next_byte() % CLIENTS];
        client_connect(current);
        break;
    case 9:
        pass_time();
        break;
    case 10:
        world.write_most = next_byte();
        break;
    case 11:
        world.pool_full = !world.pool_full;
        break;
    case 12:
        world.quick = !world.quick;
        break;
    case 13:
        drain();
        break;
    case 14:
        disturb_all();
        connections_make_room(&world.worker, world.now - next_byte() * 100, 1 + next_byte() % 4, world.now);
        break;
    default:
        client_greet(current);
        break;
    }
    REQUIRE(world_turn());
}

/* ------------------------------------------------------------------ the entry */

static void
start(void)
{
    static const char *const overrides[] = {"service.id=" WORLD_SERVICE,
                                            "log.level=error",
                                            "limits.requests_per_connection=0",
                                            "limits.connections_per_address=2",
                                            "limits.unread=100K",
                                            "access.anonymous=*",
                                            NULL};

    log_setup(LOG_LEVEL_ERROR, false, false, true);
    world_start(overrides);
    world.worker.handlers = (struct handler_set){&service_handler, 1};
    world.while_waiting = while_waiting;
    for (int i = 0; i < CLIENTS; i++)
        clients[i].output = malloc(OUTPUT_MOST);
}

static void
begin(const uint8_t *data, size_t size)
{
    script = data;
    script_end = data + size;
    world.now += 3600000; /* penalties are forgotten */
    world.write_most = 0;
    world.pool_full = world.quick = false;
    atomic_store(&world.worker.draining, false);
    atomic_store(&world.worker.last_call, false);
    for (int i = 0; i < CLIENTS; i++)
        clients[i].fd = -1;
    current = &clients[0];
    client_connect(current);
}

static void
end(void)
{
    world.pool_full = false;
    world.write_most = 0;
    for (int i = 0; i < CLIENTS; i++)
        client_finish(&clients[i]);
    /* their ends are seen at once, or when their time is over */
    for (int i = 0; i < 4 && atomic_load(&world.worker.count) > 0; i++) {
        REQUIRE(world_turn());
        world_wait(400000);
    }
    REQUIRE(world_turn());
    REQUIRE(atomic_load(&world.worker.count) == 0 && world.worker.connections == NULL);
    REQUIRE(world.busy == 0 && world.first == NULL && world.worker.authenticator.gate.places == 1);
    REQUIRE(atomic_load(&world.worker.score->connections) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (world.now == 0)
        start();
    begin(data, size);
    while (script < script_end)
        step();
    end();
    return 0;
}
