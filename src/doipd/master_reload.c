/*
 * How generations come and go: see master_impl.h. A reload builds the new one completely before the old one retires. One thread.
 */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "master_impl.h"
#include "metrics.h"
#include "notify.h"
#include "trial.h"

static void
use_log(const struct master *master, const struct config *config)
{
    log_setup(config->log.level, config->log.json, config->log.access, master->foreground);
}

static void
warn(const struct generation *generation)
{
    const struct config *config = generation->config;
    char exposed[CHANNEL_TEXT];

    if (config->service.id_assumed)
        log_warning(SERVICE_ID_ASSUMED, "service.id is not configured: serving as %s", config->service.id);
    if (generation->account.stand_in)
        log_warning(USER_MISSING, "there is no user %s: the workers run as %s; make one (adduser --system --group %s), or set `user`",
                    config->user, generation->account.name, config->user);
    if (generation->started_by_root && generation->account.uid == 0)
        log_warning(WORKERS_ARE_ROOT, "the workers run as root: set `user` to an account of their own");
    if (users_exposed(&config->users, exposed, sizeof exposed))
        log_warning(HASHES_EXPOSED, "%s", exposed);
}

static void
refuse_reload(struct master *master, const char *reason)
{
    log_error(RELOAD_REFUSED, "reload refused, nothing has changed: %s", reason);
    metrics_count(METRICS_RELOADS_REFUSED);
    control_reload_ends(master->control, reason, NULL);
    notify_ready();
}

/* For a reload, a child tries it first. */
static struct config *
load(const struct master *master, char *reason, size_t size)
{
    if (master->serving != NULL && !trial_load(master->source, reason, size))
        return NULL;
    return config_load(master->source, reason, size);
}

void
master_bring_up(struct master *master)
{
    char reason[CHANNEL_TEXT];
    struct generation *fresh = NULL;
    struct config *config;

    master->reload_wanted = false;
    if (master->serving != NULL)
        notify_reloading();
    control_reload_begins(master->control);
    config = load(master, reason, sizeof reason);
    if (config != NULL && master->serving == NULL)
        use_log(master, config);
    if (config != NULL)
        fresh = generation_new(config, ++master->numbers, master->serving, reason, sizeof reason);
    if (fresh == NULL) {
        if (master->serving != NULL)
            refuse_reload(master, reason);
        else
            snprintf(master->failure, sizeof master->failure, "%s", reason);
        return;
    }
    warn(fresh);
    fresh->next = master->all;
    master->all = fresh;
    master->coming = fresh;
    generation_spawn(fresh, master->all, clock_ms());
}

/* A service without its control socket is better than none. */
static void
use_control(struct master *master, const struct config *config)
{
    struct control_commands commands = {.context = &master->commands, .run = commands_run};
    char reason[CHANNEL_TEXT] = "";

    if (master->control == NULL)
        master->control = control_open(config, &commands, reason, sizeof reason);
    else
        control_move(master->control, config, reason, sizeof reason);
    if (reason[0] != '\0')
        log_warning(CONTROL_UNREACHABLE, "doipctl can't reach this service%s: %s", master->control != NULL ? " at its new place" : "", reason);
}

static void
tell_reloaded(struct master *master)
{
    char text[128];

    snprintf(text, sizeof text, "reloaded: generation %u serves with %zu workers", master->serving->number,
             master->serving->count);
    log_notice(RELOADED, "%s", text);
    metrics_count(METRICS_RELOADS_DONE);
    control_reload_ends(master->control, NULL, text);
    notify_ready();
}

static void
promote(struct master *master)
{
    struct generation *old = master->serving, *fresh = master->coming;

    generation_serve(fresh);
    master->serving = fresh;
    master->coming = NULL;
    use_log(master, fresh->config);
    use_control(master, fresh->config);
    if (old != NULL) {
        generation_retire(old, clock_ms(), END_REPLACED);
        tell_reloaded(master);
        return;
    }
    for (size_t i = 0; i < fresh->listeners.count; i++)
        log_notice(SERVING, "serving %s on %s", fresh->config->service.id, fresh->listeners.items[i].text);
    notify_ready();
    master->tell(NULL);
}

static void
give_up_coming(struct master *master)
{
    struct generation *failed = master->coming;

    failed->state = GENERATION_FAILED;
    master->coming = NULL;
    generation_retire(failed, clock_ms(), END_AT_ONCE);
    if (master->serving != NULL) {
        refuse_reload(master, failed->failure);
        return;
    }
    snprintf(master->failure, sizeof master->failure, "%s", failed->failure);
    master->ending = ENDING_AT_ONCE;
}

void
master_look_at_coming(struct master *master, int64_t now)
{
    struct generation *coming = master->coming;

    if (coming == NULL)
        return;
    if (coming->failure[0] == '\0' && now - coming->started > GENERATION_START_MS)
        snprintf(coming->failure, sizeof coming->failure, "the workers were not ready after %d s",
                 GENERATION_START_MS / 1000);
    if (coming->failure[0] != '\0')
        give_up_coming(master);
    else if (generation_all_ready(coming))
        promote(master);
}

void
master_free_ended(struct master *master)
{
    struct generation **link = &master->all;

    while (*link != NULL) {
        struct generation *at = *link;

        if (at == master->coming || at->state == GENERATION_SERVING || !generation_empty(at)) {
            link = &at->next;
            continue;
        }
        *link = at->next;
        log_debug(GENERATION_ENDED, "generation %u has ended", at->number);
        generation_free(&at);
    }
}
