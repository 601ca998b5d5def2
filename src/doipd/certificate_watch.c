/*
 * The certificates' files and ends: see certificate_watch.h.
 */
#include <sys/stat.h>

#include "certificate_watch.h"
#include "identity.h"
#include "log.h"

enum { LOOK_MS = 3000, RENEW_MS = 86400000 };

/* ------------------------------------------------------------------ files */

/* FNV-1a. */
static void
mix(uint64_t *stamp, int64_t number)
{
    for (int i = 0; i < 64; i += 8)
        *stamp = (*stamp ^ ((uint64_t)number >> i & 0xff)) * UINT64_C(1099511628211);
}

static void
mix_file(uint64_t *stamp, const char *path)
{
    struct stat status = {0};

    if (path == NULL || path[0] == '\0')
        return;
    stat(path, &status);
    mix(stamp, (int64_t)status.st_dev);
    mix(stamp, (int64_t)status.st_ino);
    mix(stamp, status.st_size);
    mix(stamp, status.st_mode);
    mix(stamp, status.st_mtim.tv_sec);
    mix(stamp, status.st_mtim.tv_nsec);
}

uint64_t
certificate_watch_stamp(const struct config *config)
{
    uint64_t stamp = UINT64_C(14695981039346656037);

    mix_file(&stamp, config->tls.certificate);
    mix_file(&stamp, config->tls.key);
    mix_file(&stamp, config->tls.ocsp);
    mix_file(&stamp, config->tls.client_ca);
    for (size_t i = 0; i < config->tls.certificate_count; i++) {
        mix_file(&stamp, config->tls.certificates[i].certificate);
        mix_file(&stamp, config->tls.certificates[i].key);
        mix_file(&stamp, config->tls.certificates[i].ocsp);
    }
    return stamp;
}

static bool
is_good(const struct config *config)
{
    char reason[CHANNEL_TEXT];
    SSL_CTX *context = identity_context(config, false, reason, sizeof reason);

    if (context == NULL)
        log_warning(CERTIFICATE_KEPT,
                    "the certificate's files have changed, and can't be used as they are; the old "
                    "one goes on: %s",
                    reason);
    SSL_CTX_free(context);
    return context != NULL;
}

static bool
has_changed(struct certificate_watch *watch, const struct config *config)
{
    uint64_t before = watch->seen, stamp = certificate_watch_stamp(config);

    watch->seen = stamp;
    if (stamp == watch->tried || stamp != before)
        return false;
    watch->tried = stamp;
    if (!is_good(config))
        return false;
    log_notice(CERTIFICATE_RENEWED, "the certificate's files have changed: reloading");
    return true;
}

/* ------------------------------------------------------------------ the end */

static int
how_soon(int days)
{
    return days < 1 ? 3 : days < 7 ? 2 : days < IDENTITY_RENEW_DAYS ? 1 : 0;
}

static void
tell_end(struct certificate_watch *watch, const struct pair *pair)
{
    int days = days_until(pair_end(pair)), soon = how_soon(days);

    if (soon > watch->told && days >= 0)
        log_warning(CERTIFICATE_ENDS, "the certificate in %s ends in %d days: renew it", pair->file,
                    days);
    else if (soon > watch->told)
        log_error(CERTIFICATE_ENDS,
                  "the certificate in %s has expired: clients refuse it; renew it", pair->file);
    watch->told = soon;
}

/* When one more has expired, all that have are told. */
static void
tell_staples(struct certificate_watch *watch, const struct pair_set *set)
{
    time_t now = time(NULL);
    size_t expired = 0;

    for (size_t i = 0; i < set->count; i++)
        expired += staple_has_expired(&set->items[i].staple, now);
    for (size_t i = 0; expired > watch->staples_told && i < set->count; i++)
        if (staple_has_expired(&set->items[i].staple, now))
            log_warning(STAPLE_EXPIRED,
                        "the OCSP response in %s has expired, and is not shown: get a new one",
                        set->items[i].staple.file);
    watch->staples_told = expired;
}

/* A reload renews it; where that fails it is tried again the next day. */
static bool
wants_renewal(struct certificate_watch *watch, const struct pair *pair, int64_t now)
{
    if (days_until(pair_end(pair)) >= IDENTITY_RENEW_DAYS || now < watch->renew_at)
        return false;
    watch->renew_at = now + RENEW_MS;
    return true;
}

static void
begin(struct certificate_watch *watch, const struct generation *serving)
{
    watch->generation = serving->number;
    watch->seen = serving->stamp;
    watch->tried = serving->stamp;
    watch->told = 0;
    watch->staples_told = 0;
}

bool
certificate_watch_look(struct certificate_watch *watch, const struct generation *serving,
                       int64_t now)
{
    const struct pair *first = identity_first_to_end(serving->tls);

    if (now < watch->look_at)
        return false;
    watch->look_at = now + LOOK_MS;
    if (watch->generation != serving->number)
        begin(watch, serving);
    if (identity_pairs(serving->tls)->self_made && wants_renewal(watch, first, now))
        return true;
    if (!identity_pairs(serving->tls)->self_made)
        tell_end(watch, first);
    tell_staples(watch, identity_pairs(serving->tls));
    return has_changed(watch, serving->config);
}
