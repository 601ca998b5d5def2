/*
 * What `doip-store verify` finds (findings.h). In the tool's one thread.
 */
#include "findings.h"

#include <doip/json.h>
#include <stdlib.h>

void
findings_begin(struct findings *findings)
{
    if (findings->json)
        fputs("{\"findings\":[", stdout);
}

static void
say_json(const struct findings *findings, const struct finding *finding)
{
    json_t *value = json_pack("{s:s, s:s, s:s, s:s*, s:s*}", "what", finding->what, "where",
                              finding->where, "reason", finding->reason, "object", finding->object,
                              "element", finding->element);
    char *text = doip_json_text(value, NULL);

    printf("%s%s", findings->said > 0 ? "," : "",
           text != NULL ? text : "{\"what\":\"damaged\",\"reason\":\"it is not even text\"}");
    free(text);
    json_decref(value);
}

static void
say_plain(const struct finding *finding)
{
    printf("%s %s: ", finding->what, finding->where);
    say_text(stdout, finding->reason);
    if (finding->element != NULL) {
        fputs("; element '", stdout);
        say_text(stdout, finding->element);
        putchar('\'');
    }
    if (finding->object != NULL) {
        fputs(finding->element != NULL ? " of object '" : "; object '", stdout);
        say_text(stdout, finding->object);
        putchar('\'');
    }
    putchar('\n');
}

void
findings_say(struct findings *findings, const struct finding *finding)
{
    progress_clear(findings->progress);
    if (findings->json)
        say_json(findings, finding);
    else
        say_plain(finding);
    findings->said++;
    fflush(stdout);
}

int
findings_end(struct findings *findings, json_t *summary)
{
    int status = findings->wrong == 0 ? EXIT_GOOD : EXIT_WRONG;
    char *text;

    progress_clear(findings->progress);
    if (!findings->json)
        return say_result(summary, false, status);
    text = doip_json_text(summary, NULL);
    printf("],%s\n", text != NULL ? text + 1 : "\"good\":false}");
    free(text);
    json_decref(summary);
    return fflush(stdout) == 0 ? status : EXIT_WRONG;
}
