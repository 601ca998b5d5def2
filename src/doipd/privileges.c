/*
 * All changes of privilege: see privileges.h.
 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "privileges.h"

enum { SPARE_DESCRIPTORS = 512 };

#define STAND_IN "nobody"

/* NULL where there is none, with errno 0; or where that can't be found out now, with errno: then there may be one. */
static const struct passwd *
find_user(const char *name)
{
    const struct passwd *entry;

    errno = 0;
    entry = getpwnam(name);
    if (errno != ENOMEM && errno != EMFILE && errno != ENFILE && errno != EIO && errno != EINTR)
        errno = 0;
    return entry;
}

bool
account_find(const struct config *config, struct account *account, char *reason, size_t size)
{
    const struct passwd *entry;

    memset(account, 0, sizeof *account);
    account->uid = geteuid();
    account->gid = getegid();
    if (geteuid() != 0)
        return true;
    entry = find_user(config->user);
    /* An empty configuration runs, also where nothing was installed. */
    if (entry == NULL && errno == 0 && config->user_assumed) {
        entry = find_user(STAND_IN);
        account->stand_in = entry != NULL;
    }
    if (entry == NULL && errno != 0) {
        snprintf(reason, size, "user: can't look for \"%s\" among the users: %s; try again", config->user, strerror(errno));
        return false;
    }
    if (entry == NULL) {
        snprintf(reason, size,
                 "user: there is no user \"%s\" for the workers to run as; make one (adduser --system --group %s), "
                 "or set `user` to another",
                 config->user, config->user);
        return false;
    }
    account->change = entry->pw_uid != 0;
    account->uid = entry->pw_uid;
    account->gid = entry->pw_gid;
    snprintf(account->name, sizeof account->name, "%s", entry->pw_name);
    return true;
}

static bool
prepare_state_directory(const struct config *config, const struct account *account, char *reason, size_t size)
{
    const char *path = config->state_directory;
    struct stat status;

    if (mkdir(path, 0755) == 0) {
        if (account->change && chown(path, account->uid, account->gid) < 0) {
            snprintf(reason, size, "state_directory: can't give %s to %s: %s", path, account->name, strerror(errno));
            return false;
        }
        return true;
    }
    if (errno != EEXIST) {
        snprintf(reason, size, "state_directory: can't make %s: %s", path, strerror(errno));
        return false;
    }
    if (stat(path, &status) < 0 || !S_ISDIR(status.st_mode)) {
        snprintf(reason, size, "state_directory: %s is not a directory", path);
        return false;
    }
    return true;
}

static void
raise_descriptors(const struct config *config)
{
    rlim_t want = (rlim_t)config->workers.connections + (rlim_t)config->workers.threads + SPARE_DESCRIPTORS;
    struct rlimit limit, more;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= want)
        return;
    more = (struct rlimit){.rlim_cur = want, .rlim_max = limit.rlim_max > want ? limit.rlim_max : want};
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        return;
    /* More than the hard limit is for those with the privilege, which root in a container may lack. */
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        log_warning(DESCRIPTORS_SHORT, "a worker may open %lu files only; workers.connections = %d wants %lu: raise LimitNOFILE",
                    (unsigned long)limit.rlim_cur, config->workers.connections, (unsigned long)want);
}

bool
privileges_prepare(const struct config *config, const struct account *account, char *reason, size_t size)
{
    raise_descriptors(config);
    return prepare_state_directory(config, account, reason, size);
}

/*
 * What the master does as root over its life: makes workers that are somebody else, signals them, binds low ports, reads keys and makes
 * directories wherever they lie, raises limits.
 */
static const int needed[] = {
    CAP_SETUID, CAP_SETGID, CAP_KILL, CAP_NET_BIND_SERVICE, CAP_DAC_OVERRIDE, CAP_CHOWN, CAP_FOWNER, CAP_SYS_RESOURCE,
};

static bool
is_needed(int capability)
{
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (needed[i] == capability)
            return true;
    return false;
}

bool
privileges_keep_needed(char *reason, size_t size)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    if (geteuid() != 0)
        return true;
    if (syscall(SYS_capget, &header, data) < 0) {
        snprintf(reason, size, "can't read capabilities: %s", strerror(errno));
        return false;
    }
    for (int i = 0; i <= CAP_LAST_CAP; i++) {
        struct __user_cap_data_struct *part = &data[CAP_TO_INDEX(i)];

        if (is_needed(i))
            continue;
        /* Where it may not (CAP_SETPCAP is missing) the bounding set is what the supervisor made it. */
        prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
        part->effective &= ~(uint32_t)CAP_TO_MASK(i);
        part->permitted &= ~(uint32_t)CAP_TO_MASK(i);
        part->inheritable &= ~(uint32_t)CAP_TO_MASK(i);
    }
    if (syscall(SYS_capset, &header, data) == 0)
        return true;
    snprintf(reason, size, "can't give up capabilities: %s", strerror(errno));
    return false;
}

bool
privileges_drop(const struct account *account, char *reason, size_t size)
{
    if (account->change &&
        (initgroups(account->name, account->gid) < 0 || setresgid(account->gid, account->gid, account->gid) < 0 ||
         setresuid(account->uid, account->uid, account->uid) < 0 || setuid(0) == 0)) {
        snprintf(reason, size, "can't become user %s: %s", account->name, strerror(errno));
        return false;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        snprintf(reason, size, "can't give up new privileges: %s", strerror(errno));
        return false;
    }
    return true;
}
