/*
 * Who sends a request: see authenticate.h.
 *
 * The order: a configured user's own credentials decide, and handlers are not asked about that user; then handlers in the order of the
 * chain. Passwords are hashed for unknown and disabled users, too, so that how long it takes tells nothing; how many at once is the gate's
 * matter, and those that were verified within a minute are known by their MAC. While a penalty lasts, nothing is looked at.
 */
#include <string.h>
#include <time.h>

#include "authenticate.h"
#include "clock.h"
#include "credentials.h"
#include "dispatch.h"
#include "password.h"
#include "throttle.h"
#include "token.h"
#include "worker.h"

enum { QUEUED_MOST = 1000 };

enum verdict {
    VERDICT_YES,
    VERDICT_WRONG,     /* the credentials */
    VERDICT_PENALTY,   /* not looked at: too many failures before */
    VERDICT_BUSY,      /* not looked at: too many others wait */
    VERDICT_LATER,     /* queued */
    VERDICT_UNDECIDED, /* not a user of ours: ask the handlers */
};

/* One attempt, while it is decided. */
struct attempt {
    struct worker *worker;
    doip_request *request;
    struct caller *caller;
    struct credentials credentials;
    const struct user *user; /* who it is about, or then is; NULL: none of the configured ones */
    char address[64];
    const char *throttled; /* by this name failures of a user are counted; NULL: by address only */
    int64_t wait;          /* ms, of VERDICT_PENALTY */
    char why[256];         /* for the log */
};

bool
authenticator_init(struct authenticator *authenticator, const struct user_list *users, int hashings)
{
    gate_init(&authenticator->gate, hashings, QUEUED_MOST);
    authenticator->decoy = users_decoy(users);
    return verified_init(&authenticator->verified);
}

void
authenticator_fini(struct authenticator *authenticator)
{
    verified_fini(&authenticator->verified);
}

bool
authenticate_certificate(const struct user_list *users, const X509 *certificate, const char *name,
                         bool by_ca)
{
    const struct user *user = users_find_id(users, name);

    if (user == NULL || !user->enabled)
        return user == NULL && by_ca;
    return by_ca ||
           (user->key != NULL && EVP_PKEY_eq(X509_get0_pubkey(certificate), user->key) == 1);
}

/* ------------------------------------------------------------------ penalties */

static enum verdict
look_at_penalty(struct attempt *attempt)
{
    int64_t now = clock_ms(), other;

    attempt->wait = throttle_wait(THROTTLE_ADDRESS, attempt->address, now);
    other = attempt->throttled != NULL ? throttle_wait(THROTTLE_USER, attempt->throttled, now) : 0;
    if (other > attempt->wait)
        attempt->wait = other;
    return attempt->wait > 0 ? VERDICT_PENALTY : VERDICT_UNDECIDED;
}

static enum verdict
wrong(struct attempt *attempt, const char *why)
{
    int64_t now = clock_ms();

    snprintf(attempt->why, sizeof attempt->why, "%s", why);
    throttle_failed(THROTTLE_ADDRESS, attempt->address, now);
    if (attempt->throttled != NULL)
        throttle_failed(THROTTLE_USER, attempt->throttled, now);
    return VERDICT_WRONG;
}

/* ------------------------------------------------------------------ handlers */

static enum verdict
ask_handlers(struct attempt *attempt)
{
    doip_result result;

    pool_give_way(&attempt->worker->pool);
    result = dispatch_authenticate(attempt->worker, attempt->request);
    if (result == DOIP_DECLINED)
        return VERDICT_UNDECIDED;
    if (result != DOIP_OK)
        return wrong(attempt, "a handler says so");
    attempt->user =
        users_find_id(&attempt->worker->config->users, doip_request_client(attempt->request));
    if (attempt->user != NULL && !attempt->user->enabled)
        return wrong(attempt, "the user is disabled");
    return VERDICT_YES;
}

static enum verdict
only_handlers(struct attempt *attempt)
{
    enum verdict verdict = look_at_penalty(attempt);

    if (verdict == VERDICT_UNDECIDED)
        verdict = ask_handlers(attempt);
    return verdict == VERDICT_UNDECIDED ? wrong(attempt, "nobody knows such credentials") : verdict;
}

/* ------------------------------------------------------------------ passwords */

/* Behind the gate. The work is done whoever it is. */
static enum verdict
hash(struct attempt *attempt)
{
    const struct user *user = attempt->user;
    bool real = user != NULL && user->password_hash != NULL;
    const char *against = real ? user->password_hash : attempt->worker->authenticator.decoy;
    bool same;

    pool_give_way(&attempt->worker->pool);
    same = against != NULL && password_matches(attempt->credentials.secret, against);
    if (user == NULL)
        return wrong(attempt, "there is no such user");
    if (!real)
        return wrong(attempt, "the user has no password");
    if (!user->enabled)
        return wrong(attempt, "the user is disabled");
    return same ? VERDICT_YES : wrong(attempt, "the password is wrong");
}

/* What waited may have been verified for another request meanwhile. */
static enum verdict
verify_password(struct attempt *attempt)
{
    struct authenticator *own = &attempt->worker->authenticator;
    const struct user *user = attempt->user;
    bool usable = user != NULL && user->enabled && user->password_hash != NULL;
    struct gate_pass *pass = &attempt->caller->pass;
    unsigned char mac[VERIFIED_MAC];
    enum verdict verdict;

    if (!verified_mac(&own->verified, usable ? user->id : "", usable ? user->password_hash : "",
                      attempt->credentials.secret, mac))
        return VERDICT_BUSY;
    if (usable && verified_knows(&own->verified, mac, clock_ms()))
        return VERDICT_YES;
    if (look_at_penalty(attempt) == VERDICT_PENALTY)
        return VERDICT_PENALTY;
    if (user == NULL && !pass->held && (verdict = ask_handlers(attempt)) != VERDICT_UNDECIDED)
        return verdict;
    switch (gate_enter(&own->gate, pass, clock_ms())) {
    case GATE_QUEUED:
        return VERDICT_LATER;
    case GATE_FULL:
        return VERDICT_BUSY;
    default:
        break;
    }
    verdict = hash(attempt);
    if (verdict == VERDICT_YES) {
        verified_add(&own->verified, mac, clock_ms());
        throttle_forgive(THROTTLE_USER, attempt->throttled);
    }
    return verdict;
}

/* Whose time is over after it has waited for its turn. */
static bool
waited_too_long(const struct attempt *attempt)
{
    const struct gate_pass *pass = &attempt->caller->pass;
    int most = attempt->worker->config->timeouts.read;

    return pass->held && most > 0 && clock_ms() - pass->since > (int64_t)most * 1000;
}

static enum verdict
check_password(struct attempt *attempt)
{
    struct worker *worker = attempt->worker;
    struct gate_pass *next;
    enum verdict verdict;

    attempt->user = users_find(&worker->config->users, attempt->credentials.name);
    attempt->throttled = attempt->user != NULL ? attempt->user->id : attempt->credentials.name;
    verdict = waited_too_long(attempt) ? VERDICT_BUSY : verify_password(attempt);
    if (verdict == VERDICT_LATER)
        return verdict; /* the pass is another thread's by now */
    next = gate_leave(&worker->authenticator.gate, &attempt->caller->pass);
    if (next != NULL)
        pool_queue(&worker->pool, next->waiting);
    return verdict;
}

/* ------------------------------------------------------------------ tokens */

/* Nobody guesses a signature: failures are counted by address only, or anybody could lock out a user by bad tokens. */
static enum verdict
check_token(struct attempt *attempt)
{
    const struct config *config = attempt->worker->config;
    const char *token = attempt->credentials.secret;
    char subject[DOIP_ID_MAX + 1], why[200];

    if (token_subject(token, subject, sizeof subject))
        attempt->user = users_find_id(&config->users, subject);
    if (attempt->user == NULL || attempt->user->key == NULL)
        return only_handlers(attempt);
    if (look_at_penalty(attempt) == VERDICT_PENALTY)
        return VERDICT_PENALTY;
    if (!token_verify(token, attempt->user->key, attempt->user->id, config->service.id, time(NULL),
                      why, sizeof why))
        return wrong(attempt, why);
    return attempt->user->enabled ? VERDICT_YES : wrong(attempt, "the user is disabled");
}

/* ------------------------------------------------------------------ who it is, and as whom */

static enum verdict
check_certificate(struct attempt *attempt, const doip_peer *peer)
{
    if (!peer->verified)
        return wrong(attempt, "there are no credentials, and no certificate that proves anything");
    attempt->user = users_find_id(&attempt->worker->config->users, peer->identity);
    return VERDICT_YES;
}

static enum verdict
decide(struct attempt *attempt, const doip_peer *peer)
{
    switch (attempt->credentials.kind) {
    case CREDENTIALS_PASSWORD:
        return check_password(attempt);
    case CREDENTIALS_TOKEN:
        return check_token(attempt);
    case CREDENTIALS_OTHER:
        return only_handlers(attempt);
    default:
        return check_certificate(attempt, peer);
    }
}

/* All that the request says of its client must be what it has proven, or as whom it wants to act. */
static bool
is_consistent(const struct attempt *attempt, const doip_peer *peer, const char *proven)
{
    const char *claimed = doip_request_client_id(attempt->request),
               *as = attempt->credentials.as_user;

    if (peer->verified && strcmp(peer->identity, proven) != 0)
        return false;
    return claimed == NULL || strcmp(claimed, proven) == 0 ||
           (as != NULL && strcmp(claimed, as) == 0);
}

static doip_result
act_as(struct attempt *attempt, const char *proven, doip_response *response)
{
    const char *as = attempt->credentials.as_user;
    const struct user *other = users_find_id(&attempt->worker->config->users, as);

    if (attempt->user == NULL || !user_may_act_as(attempt->user, as) ||
        (other != NULL && !other->enabled))
        return doip_fail(response, DOIP_STATUS_FORBIDDEN, "%s may not act as %s here.", proven, as);
    doip_request_set_client(attempt->request, as, other != NULL ? other->groups : NULL);
    attempt->caller->actor = attempt->user->id;
    return DOIP_OK;
}

/* The handlers see who it is: the user's id, or what a certificate or a handler says. */
static doip_result
settle(struct attempt *attempt, const doip_peer *peer, doip_response *response)
{
    const struct user *user = attempt->user;
    const char *proven = user != NULL ? user->id : doip_request_client(attempt->request);
    const char *as = attempt->credentials.as_user;

    if (!is_consistent(attempt, peer, proven)) {
        log_info(AUTHENTICATION_REFUSED, "%s: authentication refused: clientId or certificate name another client than %s",
                 peer->address, proven);
        return doip_fail(response, DOIP_STATUS_UNAUTHENTICATED,
                         "The credentials are not those of the client named.");
    }
    if (as != NULL && strcmp(as, proven) != 0)
        return act_as(attempt, proven, response);
    if (user != NULL && doip_request_groups(attempt->request) == NULL)
        doip_request_set_client(attempt->request, user->id, user->groups);
    return DOIP_OK;
}

/* The name is logged only where it is a user's: people type passwords into the wrong field. */
static doip_result
refuse(const struct attempt *attempt, enum verdict verdict, doip_response *response)
{
    const char *peer = doip_request_peer(attempt->request);

    switch (verdict) {
    case VERDICT_PENALTY:
        return doip_fail(response, DOIP_STATUS_UNAUTHENTICATED,
                         "Too many attempts to authenticate have failed; try again in %lld s.",
                         (long long)(attempt->wait + 999) / 1000);
    case VERDICT_BUSY:
        return doip_fail(response, DOIP_STATUS_ERROR,
                         "Too many requests are being authenticated; try again.");
    default:
        log_info(AUTHENTICATION_REFUSED, "%s: authentication refused%s%s: %s", peer, attempt->user != NULL ? " for " : "",
                 attempt->user != NULL ? attempt->user->id : "", attempt->why);
        return doip_fail(response, DOIP_STATUS_UNAUTHENTICATED, "The credentials are not valid.");
    }
}

/* Until there are users or handlers that know some, silent anonymity would be a lie (protocol section 1). */
static bool
anybody_known(const struct worker *worker, const doip_peer *peer,
              const struct credentials *credentials)
{
    return worker->config->users.count > 0 || dispatch_authenticates(worker) ||
           (credentials->kind == CREDENTIALS_NONE && peer->verified);
}

static doip_result
conclude(struct attempt *attempt, const doip_peer *peer, doip_response *response, bool *later)
{
    enum verdict verdict;

    if (!anybody_known(attempt->worker, peer, &attempt->credentials))
        return doip_fail(response, DOIP_STATUS_UNAUTHENTICATED,
                         "This service has no users: `authentication` can't be accepted.");
    throttle_address(peer->address, attempt->address, sizeof attempt->address);
    verdict = decide(attempt, peer);
    *later = verdict == VERDICT_LATER;
    if (*later)
        return DOIP_FAILED;
    return verdict == VERDICT_YES ? settle(attempt, peer, response)
                                  : refuse(attempt, verdict, response);
}

/* A request without credentials is from whom the connection's certificate proves. */
static doip_result
by_connection(struct worker *worker, doip_request *request, const doip_peer *peer)
{
    const struct user *user =
        peer->verified ? users_find_id(&worker->config->users, peer->identity) : NULL;

    if (user != NULL)
        doip_request_set_client(request, user->id, user->groups);
    return DOIP_OK;
}

doip_result
authenticate(struct worker *worker, doip_request *request, const doip_peer *peer,
             struct caller *caller, bool *later)
{
    struct attempt attempt = {.worker = worker, .request = request, .caller = caller};
    doip_response *response = doip_request_response(request);
    doip_result result;

    *later = false;
    if (doip_request_authentication(request) == NULL)
        return by_connection(worker, request, peer);
    result = credentials_read(&attempt.credentials, request, response);
    if (result == DOIP_OK)
        result = conclude(&attempt, peer, response, later);
    if (!*later)
        doip_request_forget_authentication(request);
    return result;
}
