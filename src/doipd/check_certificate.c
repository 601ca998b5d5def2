/*
 * Showing the certificates: see check_certificate.h.
 */
#include <stdio.h>
#include <string.h>

#include <doip/tls.h>

#include "check_certificate.h"
#include "identity.h"
#include "master.h"

static void
show(const struct pair *pair)
{
    char key[64], names[1024], day[16], stapled[128], pin[65] = "";
    time_t end = pair_end(pair);
    struct tm utc;

    pair_key_text(pair, key, sizeof key);
    pair_names_text(pair, names, sizeof names);
    gmtime_r(&end, &utc);
    strftime(day, sizeof day, "%Y-%m-%d", &utc);
    doip_certificate_pin(pair->certificate, pin);
    staple_text(&pair->staple, time(NULL), stapled, sizeof stapled);
    printf("%s\n  days left  %d, until %s\n  names      %s\n  key        %s\n  pin        %s\n  stapled    %s\n",
           pair->file, days_until(end), day, names, key, pin, stapled);
}

static int
show_all(const struct config *config)
{
    char reason[2048];
    SSL_CTX *context = identity_context(config, false, reason, sizeof reason);
    const struct pair_set *set;

    if (context == NULL) {
        fprintf(stderr, "doipd: %s\n", reason);
        return EXIT_BAD;
    }
    set = identity_pairs(context);
    if (set->throw_away)
        printf("there is no certificate yet: the first start makes one\n");
    for (size_t i = 0; !set->throw_away && i < set->count; i++)
        show(&set->items[i]);
    SSL_CTX_free(context);
    return EXIT_GOOD;
}

int
check_certificate_run(const struct config_source *source)
{
    char reason[2048];
    struct config *config = config_load(source, reason, sizeof reason);
    int status;

    if (config == NULL) {
        fprintf(stderr, "doipd: %s\n", reason);
        return EXIT_BAD;
    }
    status = show_all(config);
    config_free(&config);
    return status;
}
