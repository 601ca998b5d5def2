/*
 * For tests of the store's repository side alone: a repository for each test.
 */
#ifndef UNIT_STORE_REPOSITORY_H
#define UNIT_STORE_REPOSITORY_H

#include "unit_store.h"

static struct repository *repository;

static inline void
setup(void)
{
    scratch_setup();
    repository = scratch_open();
    scratch_settled = &repository;
}

static inline void
teardown(void)
{
    repository_close(&repository);
    scratch_teardown();
}

static inline void
reopen(void)
{
    repository_close(&repository);
    repository = scratch_open();
}

static inline int
delete_object(const char *id)
{
    struct failure failure;
    int status = repository_delete(repository, NULL, id, REPOSITORY_ANY_VERSION, &failure);

    ck_assert_msg(status != REPOSITORY_FAILED, "%s", failure.text);
    return status;
}

#endif
