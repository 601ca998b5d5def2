/*
 * What stands in a token that is well signed: which headers, claims and times are taken, and whom it names.
 */
#include "unit_token.h"

/* ------------------------------------------------------------------ headers and claims */

static const struct {
    const char *header, *claims, *wanted;
} contents[] = {
    {"{\"alg\":\"EdDSA\",\"kid\":\"x\",\"jku\":\"http://evil/\",\"jwk\":{}}", CLAIMS, NULL},
    {"{\"alg\":\"EdDSA\",\"crit\":[\"b64\"],\"b64\":false}", CLAIMS, "crit"},
    {"{\"alg\":\"EdDSA\",\"crit\":null}", CLAIMS, "crit"},
    {"{\"alg\":\"none\",\"alg\":\"EdDSA\"}", CLAIMS, "the header is not a JSON object"},
    {"{\"alg\":\"EdDSA\",\"x\":\"\xff\"}", CLAIMS, "the header is not a JSON object"},
    {"{\"alg\":\"EdDSA\"} x", CLAIMS, "the header is not a JSON object"},
    {"[\"EdDSA\"]", CLAIMS, "the header is not a JSON object"},
    {"\"EdDSA\"", CLAIMS, "the header is not a JSON object"},
    {"", CLAIMS, "the header is not a JSON object"},
    {EDDSA, " \r\n" CLAIMS "\n", NULL},
    {EDDSA, "", "the claims are not a JSON object"},
    {EDDSA, "[]", "the claims are not a JSON object"},
    {EDDSA, "null", "the claims are not a JSON object"},
    {EDDSA, "{" WHO ",\"exp\":1800000600", "the claims are not a JSON object"},
    {EDDSA, CLAIMS CLAIMS, "the claims are not a JSON object"},
    {EDDSA, "{" WHO ",\"exp\":1800000600,\"x\":\"\xc3\"}", "the claims are not a JSON object"},
    {EDDSA, "{" WHO ",\"exp\":1800000600,\"x\":\"\\u0000\"}", "the claims are not a JSON object"},
    {EDDSA, "{" WHO ",\"exp\":1,\"exp\":1800000600}", "the claims are not a JSON object"},
    {EDDSA, "{\"sub\":\"mallory\"," WHO ",\"exp\":1800000600}", "the claims are not a JSON object"},
    {EDDSA, "{\"iss\":\"" ALICE "\",\"exp\":1800000600}", "iss and sub"},
    {EDDSA, "{\"sub\":\"" ALICE "\",\"exp\":1800000600}", "iss and sub"},
    {EDDSA, "{\"iss\":\"" ALICE "\",\"sub\":\"20.500.123/bob\",\"exp\":1800000600}", "iss and sub"},
    {EDDSA, "{\"iss\":\"20.500.123/bob\",\"sub\":\"" ALICE "\",\"exp\":1800000600}", "iss and sub"},
    {EDDSA, "{\"iss\":\"20.500.123/ALICE\",\"sub\":\"20.500.123/ALICE\",\"exp\":1800000600}",
     "iss and sub"},
    {EDDSA, "{\"iss\":[\"" ALICE "\"],\"sub\":[\"" ALICE "\"],\"exp\":1800000600}", "iss and sub"},
    {EDDSA, "{" WHO "}", "no time in exp"},
    {EDDSA, "{" WHO ",\"exp\":\"1800000600\"}", "no time in exp"},
    {EDDSA, "{" WHO ",\"exp\":true}", "no time in exp"},
    {EDDSA, "{" WHO ",\"exp\":null}", "no time in exp"},
    {EDDSA, "{" WHO ",\"exp\":1800000600.5}", NULL},
    {EDDSA, "{" WHO ",\"exp\":1.8000006e9}", NULL},
    {EDDSA, "{" WHO ",\"exp\":0}", "expired"},
    {EDDSA, "{" WHO ",\"exp\":-1800000600}", "expired"},
    {EDDSA, "{" WHO ",\"exp\":1799999940}", "expired"}, /* 60 seconds ago */
    {EDDSA, "{" WHO ",\"exp\":1799999941}", NULL},
    {EDDSA, "{" WHO ",\"exp\":1800003660}", NULL}, /* an hour and a minute ahead */
    {EDDSA, "{" WHO ",\"exp\":1800003660.5}", "more than an hour"},
    {EDDSA, "{" WHO ",\"exp\":1800003661}", "more than an hour"},
    {EDDSA, "{" WHO ",\"exp\":1800000600000}", "more than an hour"}, /* milliseconds */
    {EDDSA, "{" WHO ",\"exp\":9223372036854775807}", "more than an hour"},
    {EDDSA, "{" WHO ",\"exp\":1e300}", "more than an hour"},
    {EDDSA, "{" WHO ",\"exp\":1e999}", "the claims are not a JSON object"},
    {EDDSA, "{" WHO ",\"exp\":99999999999999999999}", "the claims are not a JSON object"},
    {EDDSA, "{" WHO ",\"exp\":1800000600,\"nbf\":1800000060,\"iat\":1800000060}", NULL},
    {EDDSA, "{" WHO ",\"exp\":1800000600,\"nbf\":1800000061}", "nbf or iat is ahead"},
    {EDDSA, "{" WHO ",\"exp\":1800000600,\"iat\":1800000061}", "nbf or iat is ahead"},
    {EDDSA, "{" WHO ",\"exp\":1800000600,\"nbf\":\"1800000000\"}", "nbf or iat is not a time"},
    {EDDSA, "{" WHO ",\"exp\":1800000600,\"iat\":null}", "nbf or iat is not a time"},
    {EDDSA, "{" WHO ",\"exp\":1800000600,\"aud\":\"" SERVICE "\"}", NULL},
    {EDDSA, "{" WHO ",\"exp\":1800000600,\"aud\":[\"x\",\"" SERVICE "\"]}", NULL},
    {EDDSA, "{" WHO ",\"exp\":1800000600,\"aud\":\"20.500.123/other\"}", "aud does not name"},
    {EDDSA, "{" WHO ",\"exp\":1800000600,\"aud\":\"\"}", "aud does not name"},
    {EDDSA, "{" WHO ",\"exp\":1800000600,\"aud\":[\"20.500.123/other\"]}", "aud does not name"},
    {EDDSA, "{" WHO ",\"exp\":1800000600,\"aud\":[]}", "aud does not name"},
    {EDDSA, "{" WHO ",\"exp\":1800000600,\"aud\":[[\"" SERVICE "\"]]}", "not a list of strings"},
    {EDDSA, "{" WHO ",\"exp\":1800000600,\"aud\":[\"" SERVICE "\",1]}", "not a list of strings"},
    {EDDSA, "{" WHO ",\"exp\":1800000600,\"aud\":{\"" SERVICE "\":1}}", "aud does not name"},
    {EDDSA, "{" WHO ",\"exp\":1800000600,\"aud\":null}", "aud does not name"},
};

START_TEST(judges_the_content)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

    check_token(key, unit_sign(key, NULL, 0, contents[_i].header, contents[_i].claims),
                contents[_i].wanted);
    EVP_PKEY_free(key);
}
END_TEST

/* ------------------------------------------------------------------ the subject */

static const struct {
    const char *claims, *subject;
} subjects[] = {
    {CLAIMS, ALICE},
    {"{\"sub\":\"0123456789abcdefghi\"}", "0123456789abcdefghi"}, /* 19 and the NUL */
    {"{\"sub\":\"0123456789abcdefghij\"}", NULL},
    {"{\"sub\":\"\"}", NULL},
    {"{\"sub\":1}", NULL},
    {"{\"iss\":\"" ALICE "\"}", NULL},
    {"{\"sub\":\"a\",\"sub\":\"b\"}", NULL},
    {"[\"" ALICE "\"]", NULL},
    {"{", NULL},
};

START_TEST(tells_the_subject)
{
    char subject[20] = "unchanged";
    char *token = unit_token_text("", subjects[_i].claims, strlen(subjects[_i].claims));
    char *whole = unit_dotted(token, "");
    bool told = token_subject(whole, subject, sizeof subject);

    ck_assert_str_eq(subject, told ? subjects[_i].subject : "unchanged");
    ck_assert_int_eq(told, subjects[_i].subject != NULL);
    ck_assert(!token_subject(token, subject, sizeof subject)); /* two parts */
    free(whole);
    free(token);
}
END_TEST

static Suite *
suite(void)
{
    Suite *made = suite_create("token_claims");
    TCase *tests = tcase_create("token_claims");

    tcase_add_loop_test(tests, judges_the_content, 0, (int)(sizeof contents / sizeof contents[0]));
    tcase_add_loop_test(tests, tells_the_subject, 0, (int)(sizeof subjects / sizeof subjects[0]));
    suite_add_tcase(made, tests);
    return made;
}

UNIT_MAIN(suite)
