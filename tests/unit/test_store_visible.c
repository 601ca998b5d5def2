/*
 * What searches by different clients give and count: what they may read, and nothing else.
 */
#include "unit_store_rights.h"

START_TEST(searches_give_what_may_be_read)
{
    answer_to("alice", create, WITH_ACL("x/1", ACL("", "")));
    answer_to("alice", create, WITH_ACL("x/2", ACL("\"public\"", "")));
    answer_to("bob", create, WITH_ACL("x/3", ACL("", "\"staff\"")));
    expect(answer_to(NULL, search, SEARCH("\"query\":\"\",\"type\":\"id\"")),
           "\"results\":[\"x/2\"]");
    expect(answer_to("alice", search, SEARCH("\"query\":\"\",\"type\":\"id\"")),
           "\"results\":[\"x/1\",\"x/2\"]");
    expect(answer_of("c", "staff", search, SEARCH("\"query\":\"\",\"type\":\"id\"")),
           "\"results\":[\"x/2\",\"x/3\"]");
    ck_assert_ptr_null(strstr(answer_to("bob", search, SEARCH("\"query\":\"\"")), "x/1"));
    expect(answer_to("bob", search, SEARCH("\"query\":\"\"")), "\"id\":\"x/3\"");
}
END_TEST

/* Objects of many audiences; what may be read of them is what Retrieve gives. */
#define MANY 60

static const struct {
    const char *id, *group;
} searchers[] = {{NULL, NULL}, {"alice", NULL}, {"bob", NULL}, {"carol", "staff"}};

static bool
fits_all(int value)
{
    return value >= 0;
}

static bool
fits_range(int value)
{
    return value >= 2 && value <= 4;
}

static bool
fits_not(int value)
{
    return value != 3;
}

static const struct {
    const char *query;
    bool (*fits)(int value);
} searches[] = {{"", fits_all}, {"/n:[2 TO 4]", fits_range}, {"-/n:3", fits_not}};

static void
create_many(void)
{
    static const char *const creators[] = {"alice", "bob", NULL};
    static const char *const lists[] = {"null", ACL("", ""), ACL("\"public\"", ""),
                                        ACL("\"staff\"", ""), ACL("\"authenticated\"", "\"bob\"")};
    char request[400];

    for (int i = 0; i < MANY; i++) {
        snprintf(request, sizeof(request),
                 CREATE("{\"id\":\"x/%d\",\"type\":\"T%d\",\"attributes\":"
                        "{\"content\":{\"n\":%d},\"acl\":%s}}"),
                 i, i % 2, i % 7, lists[i % 5]);
        expect(answer_to(creators[i % 3], create, request), GOOD);
    }
}

static bool
is_readable(int searcher, int object)
{
    char request[200];

    snprintf(request, sizeof(request),
             "{\"targetId\":\"x/%d\",\"operationId\":\"0.DOIP/Op.Retrieve\"}\n#\n#\n", object);
    return strstr(answer_of(searchers[searcher].id, searchers[searcher].group, retrieve, request),
                  GOOD) != NULL;
}

/* The page's ids one after the other, each in quotes; and what `size` must be. */
static const char *
page_of(int searcher, int which, int page, int size)
{
    char request[400], due[40];
    const char *answer;

    snprintf(request, sizeof(request),
             SEARCH("\"query\":\"%s\",\"type\":\"id\",\"pageNum\":%d,\"pageSize\":7,"
                    "\"sortFields\":\"/n DESC\""),
             searches[which].query, page);
    answer = answer_of(searchers[searcher].id, searchers[searcher].group, search, request);
    snprintf(due, sizeof(due), "\"size\":%d,", size);
    expect(answer, due);
    return strstr(answer, "\"results\":");
}

/* All pages together are the objects that fit and may be read, by their values downwards. */
static void
check_pages(int searcher, int which, const bool *readable, int size)
{
    const char *at = "";
    char id[20];
    int page = 0;

    for (int value = 6; value >= 0; value--) {
        for (int i = value; i < MANY; i += 7) {
            if (!readable[i] || !searches[which].fits(value))
                continue;
            if (strchr(at, 'x') == NULL)
                at = page_of(searcher, which, page++, size) + strlen("\"results\":");
            snprintf(id, sizeof(id), "\"x/%d\"", i);
            ck_assert_msg(strncmp(strchr(at, '"'), id, strlen(id)) == 0, "%s is not first in %s",
                          id, at);
            at = strchr(at, '"') + strlen(id);
        }
    }
}

START_TEST(searches_count_what_may_be_read)
{
    bool readable[MANY];

    create_many();
    for (int i = 0; i < MANY; i++)
        readable[i] = is_readable(_i, i);
    for (size_t which = 0; which < sizeof(searches) / sizeof(*searches); which++) {
        int size = 0;

        for (int i = 0; i < MANY; i++)
            size += readable[i] && searches[which].fits(i % 7);
        ck_assert_int_gt(size, 7);
        check_pages(_i, (int)which, readable, size);
    }
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("store visible");
    TCase *tests = tcase_create("visible");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, searches_give_what_may_be_read);
    tcase_add_loop_test(tests, searches_count_what_may_be_read, 0,
                        sizeof(searchers) / sizeof(*searchers));
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
