/*
 * A library, no handler, that happens to export `search` and `list`. The handler in linked.c links it; the daemon must not
 * take these for the handler's.
 */
int search(void *request, void *response);
int list(void *request, void *response);
int found(void);

int
search(void *request, void *response)
{
    (void)request;
    (void)response;
    __builtin_trap();
}

int
list(void *request, void *response)
{
    return search(request, response);
}

int
found(void)
{
    return 42;
}
