/*
 * Digital objects: what is one, look-ups, and objects with very many elements.
 */
#include <time.h>

#include <doip/object.h>

#include "unit_exchange.h"

static const struct {
    const char *object;
    int flags;
    const char *reason; /* NULL: good */
} objects[] = {
    {"{\"type\":\"T\"}", 0, NULL},
    {"{\"id\":\"x\",\"type\":\"T\",\"attributes\":{\"content\":{}},\"elements\":[]}", 0, NULL},
    {"{\"id\":\"\",\"type\":\"T\"}", 0, NULL},
    {"{\"id\":null,\"type\":\"T\",\"attributes\":null,\"elements\":null}", 0, NULL},
    {"{\"type\":\"T\",\"elements\":[{\"id\":\"e\",\"type\":null,\"length\":null,\"attributes\":"
     "null}]}",
     0, NULL},
    {"{\"type\":\"T\",\"elements\":[{\"id\":\"e\",\"type\":\"text/"
     "plain\",\"length\":0,\"attributes\":{}}]}",
     0, NULL},
    {"{\"type\":\"T\",\"elements\":[{\"id\":\"e\",\"length\":10.0}]}", 0, NULL},
    {"{\"type\":\"T\",\"elements\":[{\"id\":\"e\"},{\"id\":\"E\"}],\"more\":1}", 0, NULL},
    {"{}", DOIP_OBJECT_TYPE_OPTIONAL, NULL},
    {"{\"type\":null}", DOIP_OBJECT_TYPE_OPTIONAL, NULL},
    {"{\"type\":\"\"}", DOIP_OBJECT_TYPE_OPTIONAL,
     "the object's `type` must be a non-empty string"},
    {"{}", 0, "the object's `type` must be a non-empty string"},
    {"{\"type\":null}", 0, "the object's `type` must be a non-empty string"},
    {"{\"type\":\"\"}", 0, "`type`"},
    {"{\"type\":5}", 0, "`type`"},
    {"[]", 0, "a digital object must be a JSON object"},
    {"\"x\"", 0, "a digital object must be a JSON object"},
    {"{\"id\":5,\"type\":\"T\"}", 0, "the object's `id` must be a string of at most 512 bytes"},
    {"{\"type\":\"T\",\"attributes\":[]}", 0, "the object's `attributes` must be an object"},
    {"{\"type\":\"T\",\"elements\":{}}", 0, "the object's `elements` must be an array"},
    {"{\"type\":\"T\",\"elements\":[5]}", 0, "elements[0] must be an object"},
    {"{\"type\":\"T\",\"elements\":[{\"id\":\"a\"},{}]}", 0,
     "`id` of elements[1] must be a string of 1 to 512"},
    {"{\"type\":\"T\",\"elements\":[{\"id\":\"\"}]}", 0, "`id` of elements[0]"},
    {"{\"type\":\"T\",\"elements\":[{\"id\":[]}]}", 0, "`id` of elements[0]"},
    {"{\"type\":\"T\",\"elements\":[{\"id\":\"a\"},{\"id\":\"a\"}]}", 0,
     "`id` of elements[1] must be its own"},
    {"{\"type\":\"T\",\"elements\":[{\"id\":\"a\",\"type\":\"\"}]}", 0, "`type` of elements[0]"},
    {"{\"type\":\"T\",\"elements\":[{\"id\":\"a\",\"type\":{}}]}", 0, "`type` of elements[0]"},
    {"{\"type\":\"T\",\"elements\":[{\"id\":\"a\",\"length\":\"5\"}]}", 0,
     "`length` of elements[0]"},
    {"{\"type\":\"T\",\"elements\":[{\"id\":\"a\",\"length\":-1}]}", 0, "`length` of elements[0]"},
    {"{\"type\":\"T\",\"elements\":[{\"id\":\"a\",\"attributes\":1}]}", 0,
     "`attributes` of elements[0]"},
};

START_TEST(checks_objects)
{
    char reason[256] = "";
    json_t *object = json_loads(objects[_i].object, JSON_DECODE_ANY, NULL);
    int error = doip_object_check(object, objects[_i].flags, reason, sizeof reason);

    ck_assert_msg(error == (objects[_i].reason == NULL ? 0 : DOIP_E_CONTENT), "%d: %s", error,
                  reason);
    if (objects[_i].reason != NULL)
        ck_assert_msg(strstr(reason, objects[_i].reason) != NULL, "%s", reason);
    json_decref(object);
}
END_TEST

START_TEST(takes_nulls_out)
{
    char reason[256];
    json_t *object =
        json_loads("{\"id\":null,\"type\":\"T\",\"attributes\":null,\"kept\":null,\"elements\":"
                   "[{\"id\":\"e\",\"type\":null,\"length\":null,\"attributes\":null}]}",
                   0, NULL);
    char *text;

    ck_assert_int_eq(doip_object_check(object, 0, reason, sizeof reason), 0);
    text = doip_json_text(object, NULL);
    ck_assert_str_eq(text, "{\"type\":\"T\",\"kept\":null,\"elements\":[{\"id\":\"e\"}]}");
    free(text);
    json_decref(object);
}
END_TEST

static int asked, refused_at;

static void *
refuse_one(size_t size)
{
    return asked++ == refused_at ? NULL : malloc(size);
}

/* A good object is not called a bad one. */
START_TEST(tells_a_lack_of_memory)
{
    json_t *object =
        json_loads("{\"type\":\"T\",\"elements\":[{\"id\":\"a\"},{\"id\":\"b\"}]}", 0, NULL);
    char reason[256];
    int error, refusals = 0;

    json_set_alloc_funcs(refuse_one, free);
    for (refused_at = 0, asked = 0; asked >= refused_at; refused_at++) { /* until none is refused */
        asked = 0;
        error = doip_object_check(object, 0, reason, sizeof reason);
        ck_assert(error == 0 || error == DOIP_E_MEMORY);
        if (error != 0)
            ck_assert_str_eq(reason, "Memory is short.");
        refusals += error != 0;
    }
    ck_assert_int_ge(refusals, 3);
    json_decref(object);
}
END_TEST

/* Nor does its sender hear that it is. */
START_TEST(answers_500_without_memory)
{
    static const char request[] =
        "{\"targetId\":\"t\",\"operationId\":\"op\"}\n#\n"
        "{\"type\":\"T\",\"elements\":[{\"id\":\"the first one\"}]}\n#\n#\n";
    int refusals = 0;

    for (refused_at = 0, asked = 0; asked >= refused_at; refused_at++) {
        struct exchange exchange = exchange_open(request, strlen(request), 0, NULL);

        ck_assert_int_eq(doip_request_head(exchange.request), 1);
        json_set_alloc_funcs(refuse_one, free);
        asked = 0;
        if (doip_input_object(exchange.request, 0) == NULL) {
            json_set_alloc_funcs(malloc, free);
            ck_assert_int_eq(doip_response_end(exchange.response, DOIP_FAILED),
                             DOIP_OUTCOME_COMPLETE);
            doip_writer_flush(exchange.writer);
            ck_assert_str_eq(exchange_output(&exchange), ERROR("500", "Memory is short."));
            refusals++;
        }
        json_set_alloc_funcs(malloc, free);
        exchange_close(&exchange);
    }
    ck_assert_int_ge(refusals, 3);
}
END_TEST

static json_t *
with_id(size_t length, bool element)
{
    char *id = malloc(length + 1);
    json_t *object;

    memset(id, 'i', length);
    id[length] = '\0';
    object = element ? json_pack("{s:s,s:[{s:s}]}", "type", "T", "elements", "id", id)
                     : json_pack("{s:s,s:s}", "type", "T", "id", id);
    free(id);
    return object;
}

START_TEST(limits_ids)
{
    static const struct {
        size_t length;
        bool element;
        bool good;
    } ids[] = {{512, false, true}, {513, false, false}, {512, true, true}, {513, true, false}};
    char reason[256];

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        json_t *object = with_id(ids[i].length, ids[i].element);

        ck_assert(ids[i].good == (doip_object_check(object, 0, reason, sizeof reason) == 0));
        json_decref(object);
    }
    ck_assert(doip_id_valid("x"));
    ck_assert(!doip_id_valid(""));
}
END_TEST

START_TEST(looks_up)
{
    json_t *object = json_loads(
        "{\"id\":\"\",\"elements\":[{\"id\":\"a\",\"n\":1},{\"id\":\"b\",\"n\":2}]}", 0, NULL);

    ck_assert_ptr_null(doip_object_id(object));
    json_object_set_new(object, "id", json_string("x/y"));
    ck_assert_str_eq(doip_object_id(object), "x/y");
    ck_assert_int_eq(json_integer_value(json_object_get(doip_object_element(object, "b"), "n")), 2);
    ck_assert_ptr_null(doip_object_element(object, "c"));
    json_object_del(object, "elements");
    ck_assert_ptr_null(doip_object_element(object, "a"));
    json_decref(object);
}
END_TEST

/* The largest head that is allowed, all of it elements: a search per element would take minutes. */
START_TEST(takes_very_many_elements)
{
    enum { COUNT = 60000 };
    doip_stream *stream = doip_memory_new();
    doip_reader *reader = doip_reader_new(stream, 8 << 20);
    doip_writer *writer = doip_writer_new(stream);
    json_t *elements = json_array();
    json_t *object = json_pack("{s:s,s:o}", "type", "T", "elements", elements);
    json_t *head, *element;
    doip_message *message;
    doip_object_reader *objects_in;
    char id[16];
    const char *output;
    size_t size;
    int count = 0;

    for (int i = 0; i < COUNT; i++) {
        snprintf(id, sizeof id, "%d", i);
        json_array_append_new(elements, json_pack("{s:s}", "id", id));
    }
    head = json_object();
    doip_writer_json(writer, head);
    doip_writer_json(writer, object);
    for (int i = COUNT - 1; i >= 0; i--) {
        doip_writer_json(writer, json_array_get(elements, (size_t)i));
        doip_writer_bytes_begin(writer);
    }
    doip_writer_empty(writer);
    doip_writer_flush(writer);
    output = doip_memory_output(stream, &size);
    doip_memory_feed(stream, output, size);
    doip_memory_end(stream);
    json_decref(head);
    message = doip_message_new(reader, "input");
    ck_assert_int_eq(doip_message_head(message, &head), 1);
    objects_in = doip_object_reader_new(message, 0);
    while (doip_object_reader_next(objects_in, &element) == 1)
        count++;
    ck_assert_str_eq(doip_object_reader_reason(objects_in), "");
    ck_assert_int_eq(count, COUNT);
    ck_assert_int_eq(doip_object_reader_next(objects_in, &element), 0);
    doip_object_reader_free(&objects_in);
    doip_message_free(&message);
    doip_writer_free(&writer);
    doip_reader_free(&reader);
    doip_stream_free(&stream);
    json_decref(object);
}
END_TEST

static Suite *
suite(void)
{
    Suite *all = suite_create("object");
    TCase *cases = tcase_create("object");

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, checks_objects, 0, COUNT_OF(objects));
    tcase_add_test(cases, takes_nulls_out);
    tcase_add_test(cases, tells_a_lack_of_memory);
    tcase_add_test(cases, answers_500_without_memory);
    tcase_add_test(cases, limits_ids);
    tcase_add_test(cases, looks_up);
    tcase_add_test(cases, takes_very_many_elements);
    suite_add_tcase(all, cases);
    return all;
}

UNIT_MAIN(suite)
