/*
 * How the tests of the query language name the field of a tree's node, as its query did.
 */
#ifndef UNIT_QUERY_H
#define UNIT_QUERY_H

#include "query.h"

/* "" where any field will do; a pointer as the tree has it, below attributes. */
static inline const char *
unit_field_name(const struct query_field *field)
{
    static const char *const names[] = {[QUERY_ID] = "id",
                                        [QUERY_TYPE] = "type",
                                        [QUERY_CREATED_BY] = "createdBy",
                                        [QUERY_MODIFIED_BY] = "modifiedBy",
                                        [QUERY_CREATED_ON] = "createdOn",
                                        [QUERY_MODIFIED_ON] = "modifiedOn",
                                        [QUERY_VERSION] = "version",
                                        [QUERY_ANYWHERE] = ""};

    return field->column == QUERY_POINTER ? field->pointer : names[field->column];
}

#endif
